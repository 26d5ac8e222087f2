"""Brainstorm ideas for a platform, in genres and their proportions; rank or group the ideas on request."""

PIPELINES = ("ideation",)
"""The names of the application's pipelines."""
