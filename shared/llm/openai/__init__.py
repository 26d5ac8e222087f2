"""Call endpoints that speak OpenAI's protocol, by the Chat Completions API or the Responses API."""
