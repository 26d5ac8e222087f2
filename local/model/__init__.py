"""The scripted model: an OpenAI-compatible server whose outputs, pace and faults are scripted."""
