"""Millrace: long LLM jobs that start at once, survive anything, and stream to whoever is watching."""

from shared.runtime import startup

startup.begin()
