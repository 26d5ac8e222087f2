"""Serve the channel behind API Gateway's WebSocket API, without a web framework: its functions start faster."""
