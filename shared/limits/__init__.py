"""Limits per user: job creations in a sliding window, and concurrent streams as leases."""
