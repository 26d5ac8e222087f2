"""Hold the applications, one package each: they are independent of each other, and the core imports none of them."""
