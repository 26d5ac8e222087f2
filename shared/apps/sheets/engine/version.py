"""The engine's name and version."""

ENGINE = "ironcalc-0.9.1"
"""Snapshots of another engine or version are not read, because its bytes are promised for one version only."""
