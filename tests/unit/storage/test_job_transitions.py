"""Changes of jobs' statuses in the records of a DynamoDB stream."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.jobs.job import Job, JobStatus
from shared.jobs.transitions import JobTransition
from shared.storage.attributes import to_item
from shared.storage.job_transitions import UnreadableJob, transition_in
from tests.fakes.clock import NOON
from tests.fakes.core import a_job
from tests.fakes.stream import a_record, image_of

LATER = NOON + timedelta(minutes=1)
JOB = a_job("job_a01m7")


def test_a_job_that_has_ended_is_read_with_its_status_before() -> None:
    ended = JOB.model_copy(update={"status": JobStatus.COMPLETED, "updated_at": LATER})

    transition = transition_in(a_record(ended, before=JobStatus.IN_PROGRESS, record_id="r1"))

    assert transition == JobTransition(ended, JobStatus.IN_PROGRESS, LATER, "r1")
    assert (transition.created, transition.resumed, transition.ended) == (False, False, True)


def test_a_new_job_has_no_status_before() -> None:
    transition = transition_in(a_record(JOB, before=None))

    assert transition is not None
    assert (transition.before, transition.created, transition.ended) == (None, True, False)


@pytest.mark.parametrize("before", [JobStatus.FAILED, JobStatus.CANCELLED])
def test_a_job_that_is_live_again_was_resumed(before: JobStatus) -> None:
    transition = transition_in(a_record(JOB, before=before))

    assert transition is not None
    assert (transition.created, transition.resumed, transition.ended) == (False, True, False)


@pytest.mark.parametrize("status", JobStatus)
def test_a_change_that_keeps_the_status_is_no_transition(status: JobStatus) -> None:
    assert transition_in(a_record(JOB.model_copy(update={"status": status}), before=status)) is None


@pytest.mark.parametrize(
    "key", [("JOB#job_a01m7", "EVT#0000000001"), ("USER#ada", "LIMIT#creations"), ("LINK#runId#ada#r", "JOB#01m7")]
)
def test_other_items_are_no_transition(key: tuple[str, str]) -> None:
    record = a_record(JOB, before=None)
    record["dynamodb"]["Keys"] = to_item(dict(zip(("PK", "SK"), key, strict=True)))

    assert transition_in(record) is None


def test_a_deleted_job_is_no_transition() -> None:
    record = a_record(JOB, before=JobStatus.COMPLETED)
    del record["dynamodb"]["NewImage"]

    assert transition_in({**record, "eventName": "REMOVE"}) is None


def test_an_item_that_was_made_by_hand_may_lack_what_has_a_default() -> None:
    by_hand = ("owner", "pipeline", "input", "model", "expiresAt")
    image = {name: value for name, value in image_of(JOB).items() if name in by_hand}
    record = a_record(JOB, before=None)
    record["dynamodb"] |= {"NewImage": image, "ApproximateCreationDateTime": LATER.timestamp()}

    transition = transition_in(record)

    assert transition is not None
    assert transition.job == JOB.model_copy(update={"created_at": LATER, "updated_at": LATER})
    assert transition.changed_at == LATER


def test_an_attribute_of_a_later_version_is_ignored() -> None:
    record = a_record(JOB, before=None)
    record["dynamodb"]["NewImage"] |= {"sweetness": {"N": "3"}, "blob": {"B": "AAAA"}}

    transition = transition_in(record)

    assert transition is not None
    assert transition.job == JOB


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ({"status": {"S": "done"}}, "status"),
        ({"progress": {"N": "101"}}, "progress"),
        ({"input": {"S": "a secret prompt"}}, "input"),
        ({"input": {"B": "a secret prompt"}}, "TypeError"),
    ],
)
def test_a_job_that_is_not_valid_is_named_without_its_values(image: Mapping[str, Any], told: str) -> None:
    record = a_record(JOB, before=JobStatus.IN_PROGRESS)
    record["dynamodb"]["NewImage"] |= image

    with pytest.raises(UnreadableJob, match=f"job_a01m7.*{told}") as raised:
        transition_in(record)

    assert "secret" not in str(raised.value)


def test_an_unknown_status_before_is_not_guessed() -> None:
    record = a_record(JOB, before=JobStatus.PENDING)
    record["dynamodb"]["OldImage"] |= {"status": {"S": "done"}}

    with pytest.raises(UnreadableJob, match="job_a01m7"):
        transition_in(record)


JUNK = st.recursive(
    st.none() | st.text(max_size=3) | st.integers(),
    lambda inner: st.dictionaries(st.sampled_from(["PK", "SK", "S", "status", "N"]), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60)
@given(sort=st.sampled_from(["JOB#1", "EVT#1", "LIMIT#x", ""]), images=st.tuples(JUNK, JUNK), more=JUNK)
def test_no_item_of_another_kind_raises(sort: str, images: tuple[Any, Any], more: Any) -> None:
    change = {"Keys": to_item({"PK": "JOB#job_a01m7", "SK": sort}), "NewImage": images[0], "OldImage": images[1]}

    assert transition_in({"eventID": more, "dynamodb": change}) is None
    assert transition_in({}) is None


def test_a_moment_of_boto3_is_read_as_well() -> None:
    record = a_record(JOB, before=None)
    del record["dynamodb"]["NewImage"]["updatedAt"]
    record["dynamodb"]["ApproximateCreationDateTime"] = datetime(2026, 11, 26, tzinfo=UTC)

    transition = transition_in(record)

    assert transition is not None
    assert transition.changed_at == datetime(2026, 11, 26, tzinfo=UTC)
    assert isinstance(transition.job, Job)
