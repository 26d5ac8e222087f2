"""Applications: one package each, independent of each other; the core imports none of them."""
