"""The functions of erasures handle their events of `events/erasure/` and `events/jobs/delete_job.valid.json`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from shared.erasure.erasure import Erasure, ErasureStatus, pseudonym_of
from shared.errors import InternalFault
from shared.jobs.job import Job
from shared.storage.erasures import DynamoErasureStore
from shared.storage.jobs import DynamoJobStore
from tests.fixtures.functions import JOB_ID, OWNER, Handle, envelope, load_event

ERASURE_ID = "ers_01jd8x2v5n7k3q9w4t6y8z0abc"


@pytest.fixture
def erasures(tables: dict[str, str]) -> DynamoErasureStore:
    """The store, with the erasure that the events name."""
    now = datetime.now(UTC)
    store = DynamoErasureStore(tables["TABLE_NAME"], clock=lambda: datetime.now(UTC))
    erasure = Erasure(
        id=ERASURE_ID,
        pseudonym=pseudonym_of(OWNER, ERASURE_ID),
        owner=OWNER,
        settles_at=now + timedelta(seconds=500),
        created_at=now,
        updated_at=now,
    )
    store.open(OWNER, erasure)
    return store


def test_delete_job_erases_the_job(handle: Handle, put_job: Callable[..., Job], jobs: DynamoJobStore) -> None:
    put_job()

    assert envelope(handle("delete_job.valid"), 200)["data"] == {"jobId": JOB_ID}

    assert jobs.get(JOB_ID) is None
    envelope(handle("get_job.valid"), 404)
    envelope(handle("delete_job.valid"), 200)  # a repeat


def test_an_unknown_job_cannot_be_deleted(handle: Handle) -> None:
    assert envelope(handle("delete_job.valid"), 404)["error"]["code"] == "NOT_FOUND"


def test_erase_data_begins_an_erasure_and_needs_the_confirmation(handle: Handle) -> None:
    event = load_event("erase_data.valid")
    read = envelope(handle("erase_data.valid", rawQueryString="", queryStringParameters={}), 422)
    assert [each["field"] for each in read["error"]["details"]["fields"]] == ["confirm"]

    answer = handle("erase_data.valid")

    erasure = envelope(answer, 202)["data"]
    assert (erasure["status"], erasure["completedAt"]) == ("erasing", None)
    host = event["headers"]["host"]
    assert answer["headers"]["location"] == f"https://{host}/me/data/erasures/{erasure['erasureId']}"
    assert envelope(handle("create_job.valid"), 409)["error"]["code"] == "ERASURE_RUNNING"


@pytest.mark.usefixtures("erasures")
def test_get_erasure_returns_the_report_to_its_owner(handle: Handle) -> None:
    report = envelope(handle("get_erasure.valid"), 200)["data"]

    assert (report["erasureId"], report["status"]) == (ERASURE_ID, "erasing")
    assert {step["name"]: step["erased"] for step in report["steps"]}["jobs"] == 0


def test_erase_owner_data_erases_and_says_how_long_to_wait(
    handle: Handle, put_job: Callable[..., Job], jobs: DynamoJobStore, erasures: DynamoErasureStore
) -> None:
    put_job()

    step = handle("erase_owner_data.valid")

    assert step["done"] is False
    assert 0 < step["waitSeconds"] <= 500
    assert jobs.get(JOB_ID) is None
    stored = erasures.get(ERASURE_ID)
    assert stored is not None
    assert (stored.status, stored.counts["jobs"]) == (ErasureStatus.SETTLING, 1)


def test_erase_owner_data_refuses_an_unknown_erasure(handle: Handle) -> None:
    with pytest.raises(InternalFault):
        handle("erase_owner_data.valid")


def test_record_erasure_failure_tells_the_owner(handle: Handle, erasures: DynamoErasureStore) -> None:
    assert handle("record_erasure_failure.valid") == {}

    stored = erasures.get(ERASURE_ID)
    assert stored is not None
    assert stored.status is ErasureStatus.FAILED
