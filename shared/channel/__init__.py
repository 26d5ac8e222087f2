"""The channel: events of jobs, and of an application's own topics, over one WebSocket connection per tab."""
