"""Runs: what outlives the jobs that made it, with its lineage."""
