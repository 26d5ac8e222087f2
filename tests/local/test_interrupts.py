"""Signals that wait until what a block makes is recorded."""

from __future__ import annotations

import signal
import sys
import threading

import pytest

from local.interrupts import accept_interrupts, interrupts_deferred
from tests.patience import PATIENCE

pytestmark = pytest.mark.usefixtures("interruptible")


def test_a_signal_is_handled_at_the_end_of_the_block() -> None:
    steps: list[str] = []

    def interrupted() -> None:
        with interrupts_deferred():
            signal.raise_signal(signal.SIGINT)
            steps.append("recorded")
        steps.append("after the block")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert steps == ["recorded"]


def test_a_receiver_gets_the_signals_of_the_whole_block_instead() -> None:
    received: list[int] = []
    with interrupts_deferred() as interrupts:
        signal.raise_signal(signal.SIGTERM)
        interrupts.pass_to(received.append)
        signal.raise_signal(signal.SIGINT)
    assert received == [signal.SIGTERM, signal.SIGINT]


def test_the_handlers_are_those_of_before_also_after_an_error() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ValueError, match="broken"), interrupts_deferred():
        raise ValueError("broken")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_it_has_no_effect_in_another_thread() -> None:
    handlers: list[object] = []

    def enter() -> None:
        with interrupts_deferred():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGINT)]


class InterruptedAtItsEnd:
    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def test_an_interrupt_that_a_finalizer_has_swallowed_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    accept_interrupts()

    def interrupted() -> None:
        InterruptedAtItsEnd()  # ends at once
        threading.Event().wait(PATIENCE)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert told == []


def test_another_error_of_a_finalizer_is_told_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __del__(self) -> None:
            raise ValueError("broken")

    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: told.append(lost.exc_type))
    accept_interrupts()
    broken = Broken()

    del broken

    assert told == [ValueError]
