"""Every log line names its job, and no log line, span or report contains a prompt or an output."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api_user import ApiUser, Event, data_of, refusal, wait_until
from tests.apps.ideation.requests import RUN
from tests.contract.emitted import Measurement, measurements_in
from tests.layout import MODULES
from tests.observability.conftest import WatchedStack

PAGE = "Quagga enclosure page"
CONTEXT = "zanzibar cloves by moonlight"
INSTRUCTIONS = "Mention the okapi of Ituri in passing"
REFUSED = "an aardvark that nobody asked for"


@dataclass(frozen=True, slots=True)
class Day:
    """All words of prompts and outputs, and the ids of the jobs."""

    words: set[str]
    jobs: list[str]


def shown(events: Iterable[Event]) -> str:
    """Return all text that a watcher received, including text that was reset."""
    return "".join(event.data.get("text", "") for event in events)


def pieces_of(document: Any) -> set[str]:
    """Return every part of a document's text that is too long to occur by chance."""
    if isinstance(document, str):
        return {piece.strip() for piece in re.split(r'\\n|["\n]', document) if len(piece.strip()) >= 16}
    values = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    return {piece for value in values for piece in pieces_of(value)}


def a_day_of(user: ApiUser) -> Day:
    """Create jobs with every kind of text that users send or receive."""
    words = {PAGE, CONTEXT, INSTRUCTIONS, REFUSED}
    agent_id = user.new_agent(name="Zookeeper", instructions=INSTRUCTIONS)
    jobs = []
    for script in (
        "token_ms=0, first_token_ms=0",
        "token_ms=0, disconnect_after=40, times=1",  # an attempt that fails in the middle of its output
        "token_ms=0, invalid_json, times=1",  # a repair
        "refusal",
    ):
        created = user.create(
            pageOrComponent=PAGE, additionalContext=f"{CONTEXT} [[script: {script}]]", agentId=agent_id
        )
        job_id = str(data_of(created, 202)["jobId"])
        events = user.watch(job_id)
        words |= pieces_of(shown(events)) | pieces_of(user.ended(job_id)["result"])
        jobs.append(job_id)
    asked = {**RUN, "requirements": f"{CONTEXT} [[script: token_ms=0, disconnect_after=60, times=1]]"}
    run = data_of(user.api.post("/ideations", json={**asked, "agentId": agent_id, "arrangement": "rank"}), 202)
    words |= pieces_of(shown(user.watch(run["jobId"]))) | pieces_of(user.ended(run["jobId"])["result"])
    jobs.append(run["jobId"])
    refusal(user.create(priorityLevel=REFUSED), 422, "VALIDATION_FAILED")
    broken = user.api.post("/jobs", content=f'{{"x": "{REFUSED}', headers={"Content-Type": "application/json"})
    refusal(broken, 400, "MALFORMED_REQUEST")
    stranger = user.streams.get("/jobs/job_unknown/stream", params={"ticket": REFUSED}, headers={"Authorization": ""})
    refusal(stranger, 401, "UNAUTHENTICATED")
    return Day(words, jobs)


@pytest.fixture(scope="module")
def day(watched: WatchedStack) -> Day:
    user = ApiUser(watched.stack)
    try:
        return a_day_of(user)
    finally:
        user.close()


def test_no_log_span_or_report_contains_a_word_of_a_prompt_or_an_output(watched: WatchedStack, day: Day) -> None:
    words, jobs = day.words, day.jobs
    wait_until(lambda: all(job_id in watched.stack.xray.text() for job_id in jobs))
    everything = watched.everything()

    assert len(words) > 60  # there are words to search for
    assert [word for word in words if word in everything] == []
    assert all(job_id in everything for job_id in jobs)  # and the searched text is not empty


def test_every_log_line_of_a_job_has_the_ids_of_its_job_request_and_trace(watched: WatchedStack, day: Day) -> None:
    jobs = day.jobs
    about = [line for line in watched.lines() if any(job_id in str(line) for job_id in jobs)]

    assert {line["message"] for line in about} >= {"job created", "attempt failed", "job failed"}
    for line in about:
        assert line["job_id"] in jobs, line
        assert re.fullmatch(r"[0-9a-f-]{36}", line["request_id"]), line
        assert re.fullmatch(r"1-[0-9a-f]{8}-[0-9a-f]{24}", line["trace_id"]), line
    traces = {(line["job_id"], line["trace_id"], line["request_id"]) for line in about}
    assert len(traces) == len({line["job_id"] for line in about})  # one request and one trace for each job


def test_every_log_line_names_its_function(watched: WatchedStack, day: Day) -> None:
    assert day.jobs
    named = {line.get("function") for line in watched.lines()}

    assert named >= {"create_job", "generate_suggestions", "record_failure"}
    assert named <= MODULES.keys()


def test_every_log_line_of_our_own_code_is_json(watched: WatchedStack, day: Day) -> None:
    for name in ("api", "stream"):
        lines = (watched.log_dir / f"{name}.log").read_text().splitlines()
        # Lines of the runtime when a handler raises, as on AWS, and warnings of libraries during their import.
        ours = [line for line in lines if line and not line.startswith(("[ERROR] ", "  ")) and "Warning: " not in line]
        assert len(ours) > 3
        assert [line for line in ours if not line.startswith("{")] == []


def test_the_metrics_count_the_jobs(watched: WatchedStack, day: Day) -> None:
    found: list[Measurement] = []

    def total(name: str, **dimensions: str) -> float:
        wanted = dimensions.items()
        return sum(each.value for each in found if each.name == name and wanted <= dict(each.dimensions).items())

    def has_the_last_lines() -> bool:
        """Read the logs again: a function writes its line after its client has the last event or the refusal."""
        found[:] = measurements_in(watched.logs().splitlines())
        ended = total("JobsCompleted", pipeline="ideation") == 1
        return ended and total("Refusals", operation="stream_job", code="UNAUTHENTICATED") == 1

    wait_until(has_the_last_lines)
    assert total("JobsCreated", pipeline="suggestion") == 4
    assert total("JobsCompleted", pipeline="suggestion") == 3
    assert total("JobsFailed", pipeline="suggestion") == total("FailedShare") == 1
    assert total("JobsCompleted", pipeline="ideation") == 1
    assert total("AttemptsFailed", code="MODEL_DISCONNECTED", stage="generate_suggestions") == 1
    assert total("AttemptsFailed", code="MODEL_DISCONNECTED", stage="generate_ideas") == 1
    assert total("Refusals", operation="create_job", code="VALIDATION_FAILED") == 1
    assert total("Refusals", operation="stream_job", code="UNAUTHENTICATED") == 1
    assert total("Requests", operation="create_job", status="2xx") == 4
    for name in ("RequestMilliseconds", "SecondsToFirstDelta", "StreamSeconds", "JobSeconds", "StagesFinished"):
        assert total(name) > 0, name
    for name in ("InputTokens", "OutputTokens"):
        assert total(name, stage="generate_suggestions") > 0, name
        assert total(name, stage="generate_ideas") > 0, name
