"""Call chat models: the port, and the adapters for OpenAI-compatible endpoints."""
