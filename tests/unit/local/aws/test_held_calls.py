"""Calls of AWS that the local stack holds back."""

from __future__ import annotations

from local.aws.held_calls import HeldCalls, Hold, describe

NAME = "first"


def hold(**changes: object) -> Hold:
    return Hold(**{"operation": "PutItem", "containing": ["turn-01"], "executed": True, **changes})  # type: ignore[arg-type]


def test_the_call_with_the_text_is_held_once() -> None:
    calls = HeldCalls()
    wanted = hold()
    calls.add(NAME, wanted)

    assert calls.take("StageRole", "UpdateItem", b"turn-01") is None
    assert calls.take("StageRole", "PutItem", b"turn-02") is None
    assert calls.take("StageRole", "PutItem", b"... turn-01 ...") is wanted
    assert calls.take("StageRole", "PutItem", b"... turn-01 ...") is None


def test_a_call_of_s3_is_found_by_its_path() -> None:
    calls = HeldCalls()
    wanted = hold(operation="PUT", containing=["job-1"])
    calls.add(NAME, wanted)
    assert calls.take("StageRole", "PUT", b"\xff", "/bucket/jobs/job-2/chunks/chunk-000.mp4") is None
    assert calls.take("StageRole", "PUT", b"\xff", "/bucket/jobs/job-1/chunks/chunk-000.mp4") is wanted


def test_a_call_is_held_once_it_waits() -> None:
    calls = HeldCalls()
    calls.add(NAME, hold())
    held = calls.take("StageRole", "PutItem", b"turn-01")
    assert held is not None
    assert calls.as_json(NAME)["held"] is False  # it is being executed

    held.released.set()
    held.wait()

    assert calls.as_json(NAME)["held"] is True


def test_earlier_calls_can_be_skipped() -> None:
    calls = HeldCalls()
    calls.add(NAME, hold(skip=2))
    assert [calls.take("StageRole", "PutItem", b"turn-01") is not None for _ in range(4)] == [False, False, True, False]


def test_a_released_call_waits_no_longer_and_no_other_is_held() -> None:
    calls = HeldCalls()
    calls.add(NAME, hold())
    held = calls.take("StageRole", "PutItem", b"turn-01")
    assert held is not None

    calls.release(NAME)

    held.wait()
    assert held.released.is_set()
    assert calls.take("StageRole", "PutItem", b"turn-01") is None


def test_the_calls_of_one_role_are_counted_and_described() -> None:
    calls = HeldCalls()
    calls.add(NAME, hold(operation="", containing=[], role="StageRole", skip=1))
    append = b'{"Item": {"SK": {"S": "EVT#7"}, "events": {"S": "[{\\"type\\": \\"delta\\"}]"}}}'
    transaction = (
        b'{"TransactItems": [{"Update": {"Key": {"SK": {"S": "JOB"}}}}, {"Put": {"Item": {"SK": {"S": "RUN"}}}}]}'
    )

    assert calls.take("ApiRole", "PutItem", append) is None
    assert calls.take("StageRole", "PutItem", append) is None
    assert calls.take("StageRole", "TransactWriteItems", transaction) is not None
    assert calls.take("StageRole", "GetSecretValue", b'{"SecretId": "key"}') is None

    assert calls.as_json(NAME) == {"held": False, "calls": ["PutItem EVT#7 delta", "TransactWriteItems JOB RUN"]}


def test_a_call_without_json_is_described_by_its_operation() -> None:
    assert describe("GET", b"<xml/>") == "GET"
    assert describe("GetSecretValue", b'{"SecretId": "key"}') == "GetSecretValue key"


def test_each_of_two_holds_holds_a_separate_call() -> None:
    calls = HeldCalls()
    first, second = hold(containing=["job_1", "reset"]), hold(containing=["job_2", "reset"])
    calls.add("first", first)
    calls.add("second", second)

    assert calls.take("StageRole", "PutItem", b"job_2 delta") is None
    assert calls.take("StageRole", "PutItem", b"job_2 reset") is second
    calls.release("second")

    assert second.released.is_set()
    assert not first.released.is_set()
    assert calls.take("StageRole", "PutItem", b"job_1 reset") is first
