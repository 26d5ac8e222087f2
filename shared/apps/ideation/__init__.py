"""Brainstorming: a platform, genres and their proportions in; that many ideas out, ranked or grouped on request."""

PIPELINES = ("ideation",)
