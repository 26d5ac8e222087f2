"""Write a haiku on a topic that the owner gives."""

PIPELINES = ("haiku",)
"""The names of the application's pipelines."""
