"""Millrace: long LLM jobs that start at once, survive faults, and stream to their watchers."""

from shared.runtime import startup

startup.begin()
