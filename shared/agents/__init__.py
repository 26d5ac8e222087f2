"""Agents: models with instructions and settings of a user's own, for jobs to be done by."""
