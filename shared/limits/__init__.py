"""Limits per user: job creations in a sliding minute, and concurrent streams as leases."""
