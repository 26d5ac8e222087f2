"""What `make build` made, run by Lambda's own runtime client under its emulator, on every event of `events/`.

Each function has its own role, which the local AWS allows what its policy in the template allows, and nothing else.
"""

from __future__ import annotations

import base64
import gzip
import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from local.stack import LocalStack
from local.template import Template
from tests.contract import build_output
from tests.contract.build_output import BUILD, LAYERS, ROOT, event
from tests.contract.emulator import Emulator, executions_waiting

JOB = "job_01jd8x2v5n7k3q9w4t6y8z0abc"
RUN = "run_01jd8x2v5n7k3q9w4t6y8z0abc"
AGENT = "agt_01jd8x2v5n7k3q9w4t6y8z0abc"
AT_ONCE = "[[script: token_ms=0, first_token_ms=0]]"
UNZIPPED_LIMIT = 250 * 1024 * 1024  # bytes of a function and its layers; Lambda's quota
ABREAST = 2  # events at a time: what they cost is the start of their function, a second of CPU

TEMPLATE = Template(
    ROOT / "template.yaml",
    parameters={"OidcIssuer": "https://issuer.example.com", "OidcAudience": "millrace"},
    attributes={"StreamJobFunctionUrl.FunctionUrl": "https://stream.example.com/"},
)
# A function with a URL is a web server behind an adapter: test_stream_artefact.py invokes it.
FUNCTIONS = [function.folder for function in TEMPLATE.functions if not function.has_url]


def function_of(name: str) -> str:
    return name.partition(".")[0]


EVENTS = sorted(file.stem for file in (ROOT / "events").glob("*.json") if function_of(file.stem) in FUNCTIONS)


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    build_output.require(build_output.missing(), wanted=build_output.WANTED)


@pytest.fixture(scope="module")
def emulator(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    before = stack.accesses()["refused"]
    with executions_waiting(stack), Emulator(stack, tmp_path_factory.mktemp("emulator")) as started:
        yield started
    assert [access for access in stack.accesses()["refused"] if access not in before] == []


# ---- the place of an event -------------------------------------------------------------------------------------------
# What has to be there before, made by artefacts as well: the id in the event's file → the id it has here.

Place = dict[str, str]


def nothing(_: Emulator) -> Place:
    return {}


def a_job(emulator: Emulator) -> Place:
    return {JOB: str(create(emulator, "create_job.valid")["jobId"])}


def a_cancelled_job(emulator: Emulator) -> Place:
    place = a_job(emulator)
    data(ask(emulator, "cancel_job.valid", place))
    return place


def a_job_after(*stages: str) -> Callable[[Emulator], Place]:
    return lambda emulator: after(emulator, a_job(emulator), stages)


def a_brainstorming_job_after(*stages: str) -> Callable[[Emulator], Place]:
    return lambda emulator: after(emulator, a_run(emulator), stages)


def a_run(emulator: Emulator) -> Place:
    """With its job."""
    created = create(emulator, "create_ideation.valid")
    return {RUN: created["runId"], JOB: created["jobId"]}


def an_agent(emulator: Emulator) -> Place:
    return {AGENT: str(data(ask(emulator, "create_agent.valid"), 201)["agentId"])}


def after(emulator: Emulator, place: Place, stages: tuple[str, ...]) -> Place:
    for stage in stages:
        done(stage)(ask(emulator, f"{stage}.first_attempt", place), place)
    return place


def ask(emulator: Emulator, name: str, place: Place | None = None) -> Any:
    """What the function answers to its event, about what is there."""
    text = json.dumps(event(name))
    for example, actual in (place or {}).items():
        text = text.replace(example, actual)
    return emulator.invoke(function_of(name), json.loads(text))


def create(emulator: Emulator, name: str, **changes: Any) -> dict[str, Any]:
    """What the event creates, with an idempotency key of its own, by a model that loses no time."""
    new = event(name)
    new["headers"]["idempotency-key"] = str(uuid.uuid4())
    body = json.loads(new["body"])
    fields = body.get("input", body)
    fields |= {"additionalContext" if "input" in body else "requirements": AT_ONCE, **changes}
    new["body"] = json.dumps(body)
    created: dict[str, Any] = data(emulator.invoke(function_of(name), new), 202)
    return created


def data(answer: Any, status: int = 200) -> Any:
    """The `data` of an HTTP answer that has to be a success."""
    assert answer["statusCode"] == status, answer
    return json.loads(answer["body"])["data"]


# ---- what has to be answered -----------------------------------------------------------------------------------------

Check = Callable[[Any, Place], None]


def shows(field: str, wanted: str, status: int = 200) -> Check:
    """The answer's `data` has, in this field, the id of what the event is about."""

    def check(answer: Any, place: Place) -> None:
        assert data(answer, status)[field] == place[wanted]

    return check


def has(field: str, value: Any, status: int = 200) -> Check:
    def check(answer: Any, _: Place) -> None:
        assert data(answer, status)[field] == value

    return check


def names(field: str, status: int = 200) -> Check:
    """The answer's `data` has something in this field."""

    def check(answer: Any, _: Place) -> None:
        assert data(answer, status)[field]

    return check


def lists(field: str, key: str, wanted: str) -> Check:
    def check(answer: Any, place: Place) -> None:
        assert place[wanted] in [each[key] for each in data(answer)[field]]

    return check


def refuses(status: int, code: str) -> Check:
    def check(answer: Any, _: Place) -> None:
        assert answer["statusCode"] == status
        assert json.loads(answer["body"])["error"]["code"] == code

    return check


def done(stage: str) -> Check:
    def check(answer: Any, place: Place) -> None:
        assert answer == {"jobId": place[JOB], "stage": stage, "status": "done"}

    return check


def is_the_page(answer: Any, _: Place) -> None:
    assert answer["statusCode"] == 200
    assert answer["body"].startswith("<!doctype html>")


def is_the_client(answer: Any, _: Place) -> None:
    sent = gzip.decompress(base64.b64decode(answer["body"]))
    assert sent == (ROOT / "functions/console/static/millrace.js").read_bytes()


def says_what_was_swept(answer: Any, _: Place) -> None:
    assert answer.keys() == {"lookedAt", "ended"}, answer


ANSWERS: dict[str, tuple[Callable[[Emulator], Place], Check]] = {
    "create_job.valid": (nothing, names("jobId", 202)),
    "create_job.invalid_field": (nothing, refuses(422, "VALIDATION_FAILED")),
    "create_job.malformed_json": (nothing, refuses(400, "MALFORMED_REQUEST")),
    "list_jobs.valid": (a_job, lists("jobs", "jobId", JOB)),
    "get_job.valid": (a_job, shows("jobId", JOB)),
    "cancel_job.valid": (a_job, has("status", "cancelled")),
    "resume_job.valid": (a_cancelled_job, shows("jobId", JOB, 202)),
    "create_stream_ticket.valid": (a_job, names("ticket", 201)),
    "create_ideation.valid": (nothing, names("runId", 202)),
    "list_ideations.valid": (a_run, lists("runs", "runId", RUN)),
    "get_ideation.valid": (a_run, shows("runId", RUN)),
    "get_ideation_job.valid": (a_run, names("job")),
    "get_ideation_lineage.valid": (a_run, names("artefacts")),
    "delete_ideation.valid": (a_run, shows("runId", RUN)),
    "create_agent.valid": (nothing, names("agentId", 201)),
    "list_agents.valid": (an_agent, lists("agents", "agentId", AGENT)),
    "get_agent.valid": (an_agent, shows("agentId", AGENT)),
    "update_agent.valid": (an_agent, has("version", 2)),
    "delete_agent.valid": (an_agent, shows("agentId", AGENT)),
    "console.root": (nothing, is_the_page),
    "console.page": (nothing, is_the_page),
    "console.file": (nothing, is_the_client),
    "console.config": (nothing, names("issuer")),
    "generate_suggestions.first_attempt": (a_job, done("generate_suggestions")),
    "generate_suggestions.retry": (a_job, done("generate_suggestions")),
    "validate_suggestions.first_attempt": (a_job_after("generate_suggestions"), done("validate_suggestions")),
    "validate_suggestions.retry": (a_job_after("generate_suggestions"), done("validate_suggestions")),
    "prepare_ideas.first_attempt": (a_run, done("prepare_ideas")),
    "prepare_ideas.retry": (a_run, done("prepare_ideas")),
    "generate_ideas.first_attempt": (a_brainstorming_job_after("prepare_ideas"), done("generate_ideas")),
    "generate_ideas.retry": (a_brainstorming_job_after("prepare_ideas"), done("generate_ideas")),
    "arrange_ideas.first_attempt": (
        a_brainstorming_job_after("prepare_ideas", "generate_ideas"),
        done("arrange_ideas"),
    ),
    "arrange_ideas.retry": (a_brainstorming_job_after("prepare_ideas", "generate_ideas"), done("arrange_ideas")),
    "complete_job.first_attempt": (
        a_job_after("generate_suggestions", "validate_suggestions"),
        done("complete_job"),
    ),
    "record_failure.model_rate_limited": (a_job, done("record_failure")),
    "record_failure.invalid_model_output": (a_job, done("record_failure")),
    "record_failure.stage_timeout": (a_job, done("record_failure")),
    "sweep_jobs.scheduled": (nothing, says_what_was_swept),
}
"""Event → what it needs, and what its answer has to be."""


def answered(emulator: Emulator, name: str) -> tuple[Any, Place]:
    place = ANSWERS[name][0](emulator)
    return ask(emulator, name, place), place


@pytest.fixture(scope="module")
def answers(emulator: Emulator, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[tuple[Any, Place]]]]:
    """What this run's events are answered, a few at a time."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    wanted = {
        item.callspec.params["name"]
        for item in items
        if item.function is test_the_built_function_answers_its_event and item.callspec.params["name"] in ANSWERS
    }
    with ThreadPoolExecutor(ABREAST) as pool:
        yield {name: pool.submit(answered, emulator, name) for name in sorted(wanted)}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", EVENTS)
def test_the_built_function_answers_its_event(answers: dict[str, Future[tuple[Any, Place]]], name: str) -> None:
    assert name in ANSWERS, f"say in ANSWERS what events/{name}.json needs and what is to be answered"

    answer, place = answers[name].result()

    ANSWERS[name][1](answer, place)


def test_every_function_has_an_event_and_no_answer_is_for_an_event_that_is_gone() -> None:
    assert {function_of(name) for name in EVENTS} == set(FUNCTIONS)
    assert ANSWERS.keys() <= set(EVENTS)


# ---- from creation to completion -------------------------------------------------------------------------------------


def test_a_job_goes_from_creation_to_its_result_through_built_artefacts(emulator: Emulator) -> None:
    place = a_job_after("generate_suggestions", "validate_suggestions", "complete_job")(emulator)

    job = data(ask(emulator, "get_job.valid", place))

    assert job["status"] == "completed"
    assert job["result"]["suggestions"]


@pytest.mark.parametrize("arrangement", ["none", "rank", "group"])
def test_a_run_goes_from_creation_to_its_ideas_through_built_artefacts(emulator: Emulator, arrangement: str) -> None:
    created = create(emulator, "create_ideation.valid", arrangement=arrangement)
    place = {RUN: created["runId"], JOB: created["jobId"]}
    after(emulator, place, ("prepare_ideas", "generate_ideas", "arrange_ideas", "complete_job"))

    run = data(ask(emulator, "get_ideation.valid", place))

    assert run["status"] == "completed"
    assert len(run["ideas"]) == 3


def test_a_run_whose_job_fails_or_is_cancelled_says_so(emulator: Emulator) -> None:
    failed, cancelled = a_run(emulator), a_run(emulator)

    done("record_failure")(ask(emulator, "record_failure.stage_timeout", failed), failed)
    data(ask(emulator, "cancel_job.valid", cancelled))

    assert data(ask(emulator, "get_ideation.valid", failed))["status"] == "failed"
    assert data(ask(emulator, "get_ideation.valid", cancelled))["status"] == "cancelled"
    assert data(ask(emulator, "resume_job.valid", failed), 202)["jobId"] == failed[JOB]


def test_a_job_is_done_by_the_version_of_its_agent_that_it_was_made_with(emulator: Emulator) -> None:
    place = an_agent(emulator)
    place[JOB] = create(emulator, "create_job.valid", agentId=place[AGENT])["jobId"]
    data(ask(emulator, "update_agent.valid", place))
    data(ask(emulator, "delete_agent.valid", place))

    after(emulator, place, ("generate_suggestions", "validate_suggestions"))

    assert data(ask(emulator, "get_job.valid", place))["agent"] == {"agentId": place[AGENT], "version": 1}
    assert ask(emulator, "get_agent.valid", place)["statusCode"] == 404


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("record_failure.model_rate_limited", "MODEL_RATE_LIMITED"),
        ("record_failure.invalid_model_output", "INVALID_MODEL_OUTPUT"),
        ("record_failure.stage_timeout", "STAGE_TIMEOUT"),
    ],
)
def test_a_failure_is_recorded_under_its_name(emulator: Emulator, name: str, code: str) -> None:
    place = a_job(emulator)

    ask(emulator, name, place)

    job = data(ask(emulator, "get_job.valid", place))
    assert (job["status"], job["failure"]["code"]) == ("failed", code)


def test_a_failing_artefact_reports_the_class_name_that_the_state_machine_compares(emulator: Emulator) -> None:
    assert ask(emulator, "complete_job.first_attempt")["errorType"] == "JobEnded"


# ---- what was built --------------------------------------------------------------------------------------------------


def test_everything_built_is_compiled_so_that_no_cold_start_compiles() -> None:
    for source in [*LAYERS[1].rglob("*.py"), *BUILD.glob("*Function/*.py")]:
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
        assert compiled.exists(), f"{source} is not compiled"
        # An unchecked hash: a file's date, which packaging changes, must not make Python compile again (PEP 552).
        assert int.from_bytes(compiled.read_bytes()[4:8], "little") == 0b01


def test_the_layers_fit_and_leave_out_what_the_runtime_brings() -> None:
    assert not (LAYERS[0] / "boto3").exists()
    assert sum(file.stat().st_size for layer in LAYERS for file in layer.rglob("*")) < UNZIPPED_LIMIT
