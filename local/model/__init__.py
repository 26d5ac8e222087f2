"""The scripted model: an OpenAI-compatible server whose answers, pace and faults are scripted."""
