"""Suggest features for a page or component that the owner describes."""

PIPELINES = ("suggestion",)
"""The names of the application's pipelines."""
