"""Tools that a model calls from within a stage: pure functions, one kind of result, and the loop that runs them."""
