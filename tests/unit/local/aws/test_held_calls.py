"""Calls of DynamoDB that the local stack holds back."""

from __future__ import annotations

from local.aws.dynamodb_faults import HeldCalls, Hold


def hold(**changes: object) -> Hold:
    return Hold(**{"operation": "PutItem", "containing": "turn-01", "executed": True, **changes})  # type: ignore[arg-type]


def test_the_call_with_the_text_is_held_once() -> None:
    calls = HeldCalls()
    wanted = hold()
    calls.add(wanted)

    assert calls.take("UpdateItem", b"turn-01") is None
    assert calls.take("PutItem", b"turn-02") is None
    assert calls.held == 0
    assert calls.take("PutItem", b"... turn-01 ...") is wanted
    assert calls.take("PutItem", b"... turn-01 ...") is None
    assert calls.held == 1


def test_earlier_calls_can_be_skipped() -> None:
    calls = HeldCalls()
    calls.add(hold(skip=2))
    assert [calls.take("PutItem", b"turn-01") is not None for _ in range(4)] == [False, False, True, False]


def test_a_released_call_waits_no_longer_and_no_other_is_held() -> None:
    calls = HeldCalls()
    calls.add(hold())
    held = calls.take("PutItem", b"turn-01")
    assert held is not None

    calls.release()

    held.wait()
    assert held.released.is_set()
    assert calls.take("PutItem", b"turn-01") is None
