"""A refusal on its way from the engine's process to the caller, who gets a WorkbookRefusal."""

from __future__ import annotations


class Refused(Exception):
    """What was asked is refused; `code` is a name of SheetErrorCode."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class Unsupported(Exception):
    """A file cannot be loaded; the message says why and what to do."""
