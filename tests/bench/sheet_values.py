"""What the benches of sheets write and ask, in a module that imports nothing: .venv-browser has fewer packages."""

from __future__ import annotations

CHANGED = 4242
"""The value that is written to B2."""

QUESTION = "What is in this workbook?"
"""A question that the scripted model answers with a tool."""
