"""Let a signal wait while a process or a folder is made, so that whatever removes it at the end knows it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_REPEATED_AFTER = 0.02  # seconds, in which the finalizer ends


class Interrupts:
    """The signals of a block of `interrupts_deferred`."""

    def __init__(self) -> None:
        self._arrived: list[int] = []
        self._receiver: Callable[[int], object] = self._arrived.append

    def pass_to(self, receiver: Callable[[int], object]) -> None:
        """Call `receiver` with each signal that has arrived or arrives in the rest of the block."""
        self._receiver = receiver
        while self._arrived:
            receiver(self._arrived.pop(0))

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self._receiver(number)

    def _repeat(self) -> None:
        for number in self._arrived:
            signal.raise_signal(number)


@contextlib.contextmanager
def interrupts_deferred() -> Iterator[Interrupts]:
    """Handle SIGINT and SIGTERM that arrive in the block at its end.

    Only the main thread handles signals, so in another thread this has no effect.
    """
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    previous = {number: signal.signal(number, interrupts._receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupts
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        interrupts._repeat()


def accept_interrupts() -> None:
    """From now on, let each SIGINT interrupt this process: a shell that starts it in the background has it ignored.

    Python ignores what a finalizer or a callback of a weak reference raises, also if a signal arrives while it runs. So
    SIGINT is sent again if its KeyboardInterrupt is lost.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    tell = sys.unraisablehook

    def repeat(lost: sys.UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            tell(lost)
            return
        timer = threading.Timer(_REPEATED_AFTER, os.kill, (os.getpid(), signal.SIGINT))
        timer.daemon = True
        timer.start()

    sys.unraisablehook = repeat
