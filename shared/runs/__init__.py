"""Runs: what an owner keeps of jobs after they expire, with its lineage."""
