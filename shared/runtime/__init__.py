"""The process of a function: its settings, start, SnapStart snapshot, invocations and event loop."""
