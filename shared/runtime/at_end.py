"""Do at the end of each invocation what threads have begun: Lambda freezes a process when its handler returns."""

from __future__ import annotations

from collections.abc import Callable

_acts: list[Callable[[], None]] = []


def register(act: Callable[[], None]) -> None:
    """Call `act` at the end of every invocation. It must not raise, and it must be quick if there is nothing to do."""
    _acts.append(act)


def run() -> None:
    """Call what is registered. Every handler calls this before it returns."""
    for act in _acts:
        act()
