"""HTTP: the app factory, the envelope, authentication, and the SSE stream."""
