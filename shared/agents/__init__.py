"""Agents: a user's own instructions, model and settings, which jobs can use."""
