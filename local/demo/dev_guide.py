"""What `make dev` prints: a bash script with comments. Each line can be pasted into a terminal unchanged."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from local.demo.pipeline import PipelineDemo
from local.template.intrinsics import REGION

_STATUS: Final = r"-w '\n%{http_code}\n'"
_TAKE_ID: Final = r"""| tee /dev/stderr | sed -n 's/.*"jobId":"\([^"]*\)".*/\1/p'"""
_JSON: Final = "-H 'Content-Type: application/json'"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The URLs of a running stack, and the tokens of two users; `model_url` is None if the model is a real one.

    `no_proxy`: the value of NO_PROXY that curl needs where the environment names a proxy.
    """

    api_url: str
    stream_url: str
    aws_url: str
    model_url: str | None
    alice: str
    bob: str
    state_machine_arn: str
    processes: bool
    no_proxy: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A title, which names the expected HTTP statuses, and commands."""

    title: str
    commands: tuple[str, ...]


def script(at: Endpoints, demo: type[PipelineDemo]) -> Iterator[str]:
    """Yield the lines of the guide. Its jobs are those of the demo."""
    for section in sections(at, demo):
        yield f"# ---- {section.title}"
        yield from section.commands
        yield ""


def sections(at: Endpoints, demo: type[PipelineDemo]) -> Iterator[Section]:
    """Yield the sections in an order in which they can be pasted."""
    yield Section("paste this first (TOKEN is alice's, BOB is another user's)", _exports(at))
    yield from _operations(demo)
    yield from _limits(demo, scripted=at.model_url is not None)
    if at.model_url is not None:
        yield from _faults(demo)
    yield _processes(demo) if at.processes else _threads()
    yield _step_functions(at)


def _exports(at: Endpoints) -> tuple[str, ...]:
    values = {"API": at.api_url, "STREAM": at.stream_url, "TOKEN": at.alice, "BOB": at.bob}
    if at.model_url is not None:
        values["MODEL"] = at.model_url
    if at.no_proxy is not None:
        values |= {"no_proxy": at.no_proxy, "NO_PROXY": at.no_proxy}
    return tuple(f"export {name}={shlex.quote(value)}" for name, value in values.items())


def _operations(demo: type[PipelineDemo]) -> Iterator[Section]:
    yield Section("create: 202, at once; keeps the id in JOB", (f"export JOB=$({_create(demo)} {_TAKE_ID})",))
    yield Section("stream: 200, until the job has ended", (_curl('"$STREAM/jobs/$JOB/stream"', "-N"),))
    yield Section(
        "the same from the sixth event on: 200",
        (_curl('"$STREAM/jobs/$JOB/stream"', "-N -H 'Last-Event-ID: 5'"),),
    )
    yield Section("status, with the result: 200", (_curl('"$API/jobs/$JOB"'),))
    yield Section(
        "list, and list with filters: 200, 200",
        (_curl('"$API/jobs"'), _curl(f'"$API/jobs?pipeline={demo.pipeline.name}&status=completed&limit=5"')),
    )
    yield Section(
        "ticket: 201; and the stream with it, as an EventSource that cannot send headers: 200",
        (
            f"""export TICKET=$({_curl('"$API/jobs/$JOB/stream-tickets"', "-X POST")} """
            r"""| tee /dev/stderr | sed -n 's/.*"ticket":"\([^"]*\)".*/\1/p')""",
            f'curl -sSN {_STATUS} "$STREAM/jobs/$JOB/stream?ticket=$TICKET"',
        ),
    )
    yield Section("another user's job: 403", (_curl('"$API/jobs/$JOB"', user="BOB"),))


def _limits(demo: type[PipelineDemo], *, scripted: bool) -> Iterator[Section]:
    directive = "first_token_ms=50000" if scripted else None
    long_job = f"export SLOW=$({_create(demo, directive)} {_TAKE_ID})"
    yield Section(
        "six streams of one user: five 200, the sixth 429 (the job takes 50 s)"
        if scripted
        else "six streams of one user: five 200, the sixth 429, if the job takes long enough",
        (
            long_job,
            '(for n in 1 2 3 4 5 6; do curl -sN -m 15 -o /dev/null -w "stream $n: %{http_code}\\n" '
            '-H "Authorization: Bearer $TOKEN" "$STREAM/jobs/$SLOW/stream" & sleep 0.3; done; wait)',
        ),
    )
    yield Section("cancel: 200", (_curl('"$API/jobs/$SLOW/cancel"', "-X POST"),))
    yield Section(
        "eleven creations of one user within a minute: ten 202, the eleventh 429",
        (
            'for n in 1 2 3 4 5 6 7 8 9 10 11; do curl -sS -o /dev/null -w "creation $n: %{http_code}\\n" '
            f'-H "Authorization: Bearer $BOB" {_JSON} -d {_body(demo)} "$API{demo.path}"; done',
        ),
    )


def _faults(demo: type[PipelineDemo]) -> Iterator[Section]:
    for what, directive in (
        ("the model disconnects once: the job is retried", "disconnect_after=60, times=1"),
        ("the model responds 429 twice: the job is retried after 1 s and 2 s", "status=429, times=2"),
        ("the model is slow: 2 s to its first token, 50 ms for each", "first_token_ms=2000, token_ms=50"),
    ):
        commands = (
            f"export JOB=$({_create(demo, directive)} {_TAKE_ID})",
            _curl('"$STREAM/jobs/$JOB/stream"', "-N"),
        )
        yield Section(f"{what} (the prompt says so; `times` counts per prompt)", commands)
    rule = json.dumps({"times": 1, "behaviour": {"invalid_json": True}})
    yield Section(
        "the same without a prompt: the next output is not JSON; the requests so far; delete all rules",
        (
            f"""curl -sS {_STATUS} -d '{rule}' "$MODEL/_script\"""",
            f'curl -sS {_STATUS} "$MODEL/_requests"',
            f'curl -sS {_STATUS} -X DELETE "$MODEL/_script"',
        ),
    )


def _processes(demo: type[PipelineDemo]) -> Section:
    stages = ", ".join(demo.pipeline.stages)
    ids = (
        "import json, sys; found = json.load(sys.stdin); "
        f'print(*(pid for name in "{stages}".split(", ") for pid in found.get(name, [])))'
    )
    return Section(
        f"the functions' processes; kill those of {stages} (while a job streams, Step Functions retries the stage)",
        (
            'curl -sS "$API/_millrace/processes"; echo',
            f"""kill -9 $(curl -sS "$API/_millrace/processes" | python3 -c '{ids}')""",
        ),
    )


def _threads() -> Section:
    return Section(
        "to kill a function as Lambda may, run each function in separate processes; the guide then has the command",
        ('# make dev ARGS="--functions processes"',),
    )


def _step_functions(at: Endpoints) -> Section:
    machine = at.state_machine_arn
    found = f"boto3.client('stepfunctions').list_executions(stateMachineArn='{machine}')['executions']"
    return Section(
        "the executions, with the AWS CLI or boto3: both take the endpoint from the environment",
        (
            f"export AWS_ENDPOINT_URL={at.aws_url} AWS_DEFAULT_REGION={REGION}",
            "export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_PAGER=",
            f"aws stepfunctions list-executions --state-machine-arn {machine} --max-items 5",
            f""".venv/bin/python -c "import boto3; print(*((each['name'], each['status']) for each in {found}))\"""",
        ),
    )


def _curl(url: str, options: str = "", *, user: str = "TOKEN") -> str:
    return " ".join(filter(None, ("curl -sS", _STATUS, options, f'-H "Authorization: Bearer ${user}"', url)))


def _create(demo: type[PipelineDemo], directive: str | None = None) -> str:
    return _curl(f'"$API{demo.path}"', f"{_JSON} -d {_body(demo, directive)}")


def _body(demo: type[PipelineDemo], directive: str | None = None) -> str:
    """The JSON of a creation, quoted for bash."""
    return shlex.quote(json.dumps(demo(directive).body))
