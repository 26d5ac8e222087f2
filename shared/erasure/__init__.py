"""Erase all that is stored of an owner."""
