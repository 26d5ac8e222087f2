"""In-memory fakes, one per port; the same tests in tests/storage run over each fake and its adapter."""
