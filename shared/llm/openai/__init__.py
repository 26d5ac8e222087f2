"""Adapters for endpoints that speak OpenAI's protocol: chat completions and responses."""
