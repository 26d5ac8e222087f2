"""Serve HTTP: the app factory, the envelope, authentication, the API's wire models and the SSE stream."""
