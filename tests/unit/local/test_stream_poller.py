"""The poller of a stream: batches, what is delivered again after failures, and what is given up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from local.aws.deliveries import Outcome, Record
from local.aws.stream_poller import StreamPoller
from local.template.event_sources import StreamSource

NOW = 1_800_000_000.0
RAN = Outcome(ran=True, response={"batchItemFailures": []})
KILLED = Outcome(ran=True, failed=True)
NOT_INVOKED = Outcome(ran=False)


def failing(*numbers: int) -> Outcome:
    return Outcome(ran=True, response={"batchItemFailures": [{"itemIdentifier": str(each)} for each in numbers]})


def a_source(**fields: Any) -> StreamSource:
    defaults: dict[str, Any] = {
        "function": "f",
        "logical_id": "F",
        "table": "t",
        "patterns": (),
        "batch_size": 10,
        "window": 0.0,
        "lanes": 1,
        "bisects": True,
        "partial": True,
        "retries": 2,
        "longest_age": None,
        "given_up": "queue",
    }
    return StreamSource(**defaults | fields)


def a_record(number: int, *, age: float = 0, size: int = 100, key: str = "k") -> dict[str, Any]:
    change = {
        "Keys": {"PK": {"S": key}, "SK": {"S": "JOB"}},
        "NewImage": {"status": {"S": "completed"}},
        "SequenceNumber": str(number),
        "ApproximateCreationDateTime": NOW - age,
        "SizeBytes": size,
    }
    return {"dynamodb": change, "eventSourceARN": "stream"}


class Function:
    """A function that gives an outcome for each batch, and remembers the numbers of the records."""

    def __init__(self, outcome: Callable[[list[int]], Outcome]) -> None:
        self.batches: list[list[int]] = []
        self.given_up: list[Mapping[str, Any]] = []
        self.pauses: list[float] = []
        self._outcome = outcome

    def poller(self, source: StreamSource) -> StreamPoller:
        return StreamPoller(source, self._deliver, self.given_up.append, clock=lambda: NOW, pause=self.pauses.append)

    def _deliver(self, records: Sequence[Record]) -> Outcome:
        self.batches.append([int(each["dynamodb"]["SequenceNumber"]) for each in records])
        return self._outcome(self.batches[-1])


def handled(outcome: Callable[[list[int]], Outcome], *, records: int = 4, **source: Any) -> Function:
    """Return the function after it got this many records, numbered from 0, in one batch at first."""
    function = Function(outcome)
    function.poller(a_source(**source)).handle([a_record(number) for number in range(records)])
    return function


def in_turn(*outcomes: Outcome) -> Callable[[list[int]], Outcome]:
    """Return these outcomes one after the other, then successes."""
    rest = [*outcomes]
    return lambda _: rest.pop(0) if rest else RAN


def test_a_batch_that_succeeds_is_delivered_once() -> None:
    function = handled(in_turn())

    assert (function.batches, function.given_up, function.pauses) == ([[0, 1, 2, 3]], [], [])


def test_a_batch_is_delivered_again_from_the_first_record_that_failed() -> None:
    assert handled(in_turn(failing(3, 1))).batches == [[0, 1, 2, 3], [1, 2, 3]]


def test_a_batch_whose_function_failed_is_delivered_in_halves_that_count_no_try() -> None:
    function = handled(lambda batch: KILLED if 2 in batch else RAN)

    assert function.batches == [[0, 1, 2, 3], [0, 1], [2, 3], [2], [2], [2], [3]]
    assert [each["DDBStreamBatchInfo"]["startSequenceNumber"] for each in function.given_up] == ["2"]


def test_without_halves_the_whole_batch_is_delivered_again_and_given_up() -> None:
    function = handled(lambda _: KILLED, bisects=False)

    assert function.batches == [[0, 1, 2, 3]] * 3
    assert function.given_up[0]["DDBStreamBatchInfo"]["batchSize"] == 4


def test_a_record_that_keeps_failing_is_given_up_with_those_behind_it() -> None:
    function = handled(lambda batch: failing(1) if 1 in batch else RAN)

    assert function.batches == [[0, 1, 2, 3], [1, 2, 3], [1, 2, 3]]
    (message,) = function.given_up
    assert message["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert message["requestContext"]["approximateInvokeCount"] == 3
    info = message["DDBStreamBatchInfo"]
    assert (info["startSequenceNumber"], info["endSequenceNumber"], info["batchSize"]) == ("1", "3", 3)


def test_each_record_that_fails_has_its_own_tries() -> None:
    function = handled(in_turn(failing(0), failing(0), failing(1), failing(1)))

    assert function.batches == [[0, 1, 2, 3]] * 3 + [[1, 2, 3]] * 2
    assert function.given_up == []


@pytest.mark.parametrize(
    "response", [{"batchItemFailures": [{"itemIdentifier": "99"}]}, {"batchItemFailures": [{"itemIdentifier": ""}]},
                 {"batchItemFailures": [{"id": "1"}]}]
)  # fmt: skip
def test_a_report_that_lambda_does_not_understand_fails_the_whole_batch(response: Any) -> None:
    function = handled(in_turn(Outcome(ran=True, response=response)))

    assert function.batches == [[0, 1, 2, 3]] * 2


@pytest.mark.parametrize(
    "response", [None, {}, [], {"batchItemFailures": None}, {"failures": [{"itemIdentifier": "1"}]}]
)
def test_a_response_without_a_report_is_a_success(response: Any) -> None:
    assert handled(in_turn(Outcome(ran=True, response=response))).batches == [[0, 1, 2, 3]]


def test_a_report_has_no_effect_unless_the_source_asks_for_reports() -> None:
    assert handled(in_turn(failing(1)), partial=False).batches == [[0, 1, 2, 3]]


def test_a_function_that_could_not_be_invoked_is_tried_for_as_long_as_it_takes() -> None:
    function = handled(in_turn(*[NOT_INVOKED] * 50))

    assert function.batches == [[0, 1, 2, 3]] * 51
    assert function.given_up == []


def test_records_that_are_too_old_are_given_up_and_the_others_delivered() -> None:
    function = Function(in_turn())
    poller = function.poller(a_source(longest_age=60))
    poller.handle([a_record(0, age=61), a_record(1, age=59)])

    assert function.batches == [[1]]
    assert function.given_up[0]["requestContext"]["condition"] == "RecordAgeExceeded"
    assert poller.counts.given_up == 1


def test_a_batch_has_at_most_the_records_and_the_bytes_that_a_function_gets() -> None:
    function = Function(in_turn())
    poller = function.poller(a_source(batch_size=3))
    for number in range(4):
        poller.offer(a_record(number))
    poller.offer(a_record(4, size=5_000_000))
    poller.offer(a_record(5, size=5_000_000))
    (lane,) = poller.lanes

    batches = [poller.next_batch(lane) for _ in range(3)]

    assert [[each["dynamodb"]["SequenceNumber"] for each in batch] for batch in batches] == [
        ["0", "1", "2"],
        ["3", "4"],
        ["5"],
    ]


def test_an_item_is_always_in_the_same_lane_and_others_use_all() -> None:
    poller = Function(in_turn()).poller(a_source(lanes=4))
    for number in range(40):
        poller.offer(a_record(number, key=f"job {number % 20}"))

    keys = [[each["dynamodb"]["Keys"]["PK"]["S"] for each in lane] for lane in poller.lanes]
    assert all(keys)
    assert all(sorted(lane.count(key) for key in set(lane)) == [2] * len(set(lane)) for lane in keys)


def test_a_record_passes_the_filter_if_it_fits_one_of_its_patterns() -> None:
    patterns = tuple(
        {"dynamodb": {"Keys": {"SK": {"S": ["JOB"]}}, "NewImage": {"status": {"S": [status]}}}}
        for status in ("failed", "cancelled")
    )
    poller = Function(in_turn()).poller(a_source(patterns=patterns))
    cancelled = a_record(1)
    cancelled["dynamodb"]["NewImage"]["status"]["S"] = "cancelled"

    assert poller.passes(cancelled)
    assert not poller.passes(a_record(0))
    assert poller.wants({"SK": {"S": "JOB"}})
    assert not poller.wants({"SK": {"S": "EVT#1"}})


def test_a_record_waits_for_others_unless_the_batch_is_whole() -> None:
    function = Function(in_turn())
    poller = function.poller(a_source(batch_size=2))
    for number in range(3):
        poller.offer(a_record(number))
    for _ in range(2):
        poller.next_batch(poller.lanes[0])

    assert function.pauses == [0.1]
