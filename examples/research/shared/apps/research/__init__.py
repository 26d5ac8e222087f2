"""Answer a question from a small library: the model searches, reads and notes findings, then writes the answer."""

PIPELINES = ("research",)
"""The names of the application's pipelines."""

LINKS = ("projectId",)
"""The links of jobs that this application's entities can be: a notebook is a project."""
