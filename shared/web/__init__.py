"""Serve HTTP: the app factory, the envelope, authentication, the API's wire models and the SSE stream."""

from shared.runtime import startup

startup.import_fastapi()
