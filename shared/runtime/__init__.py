"""The process a function runs in: its settings, its start, its snapshot, its invocations and its event loop."""
