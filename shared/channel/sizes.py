"""How much one message of the channel may hold. Apart from the messages, which take time to import."""

MAX_EVENTS = 500
"""Maximum events in one message."""

MAX_EVENT_BYTES = 96 * 1024
"""Maximum bytes of the events in one message. API Gateway sends at most 128 KB."""
