"""Answer a question from a small library: the model searches, reads and notes findings, then writes the answer."""

PIPELINES = ("research",)
"""The names of the application's pipelines."""
