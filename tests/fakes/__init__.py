"""In-memory stand-ins, one per port; the port tests in tests/storage hold them to what the adapters do."""
