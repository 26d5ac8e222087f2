"""The client for asyncio. The package `_sync` is generated from this one by `python -m tools.python_client`."""
