"""Build a scene: check its source, compile it and play all its frames, so that only scenes that play are stored."""
