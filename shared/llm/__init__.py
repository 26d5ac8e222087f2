"""Chat models: the port, and the adapter for OpenAI-compatible endpoints."""
