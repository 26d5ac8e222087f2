"""Call endpoints that speak OpenAI's protocol, through the Chat Completions API or the Responses API."""
