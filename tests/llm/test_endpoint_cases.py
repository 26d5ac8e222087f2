"""What real endpoints send: each case against each pipeline, with its outcome and its paid calls in a table."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx2
import pytest

from shared.llm.openai.chat import OpenAIChatModel
from shared.llm.openai.responses import OpenAIResponsesModel
from shared.llm.openai.transport import _Connection
from shared.stages import time_limit
from tests.llm.case_server import CaseServer, Endless, http_response
from tests.llm.endpoint_job import ANSWERS_OF, Ended, answer_to, run_job
from tests.llm.model_calls import KEY
from tests.llm.stream_shapes import ANSWERS, DONE, chunk, chunks, parts_of, sse, stream
from tests.patience import PATIENCE

FILES = Path(__file__).parent / "cases"
PIPELINES = ("suggestion", "ideation")
CALLS = {"suggestion": 1, "ideation": 2}
"""Model calls of a job in which nothing goes wrong."""
NEVER = 3600.0
"""Seconds that only a hang takes."""

LIMITED = http_response(429, {"error": {"message": "x", "code": None}}, Retry_After="20")
LIMITED_UNTIL = http_response(
    429, "x", Date="Thu, 26 Nov 2026 04:00:00 GMT", Retry_After="Thu, 26 Nov 2026 04:00:20 GMT"
)
LOADING = http_response(503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}})
EMPTY = stream(chunks(""))
IN_REASONING = stream([chunk({"reasoning_content": json.dumps(ANSWERS_OF["suggestions"])}), chunk({}, "stop"), DONE])


@dataclass(frozen=True)
class Row:
    case: str
    pipeline: str
    outcome: str
    paid: int
    seconds: float
    waited: float


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[list[Row]]:
    """Collect the rows, and print them at the end of the module."""
    rows: list[Row] = []
    yield rows
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    if reporter is None or capture is None:
        return
    with capture.global_and_fixture_disabled():
        reporter.write_line("")
        reporter.write_line(
            f"{'case':44} {'pipeline':11} {'outcome':22} {'paid calls':>10} {'seconds':>8} {'waited':>7}"
        )
        for row in rows:
            reporter.write_line(
                f"{row.case:44} {row.pipeline:11} {row.outcome:22} {row.paid:10} {row.seconds:8.2f} {row.waited:7.0f}"
            )


@pytest.fixture(scope="module", autouse=True)
def one_tls_context() -> Iterator[None]:
    """Create the TLS context once, instead of once for each of the adapters: these servers speak no TLS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx2, "create_ssl_context", functools.cache(httpx2.create_ssl_context))
        yield


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record what an attempt would wait because a provider says so."""
    recorded: list[float] = []

    async def record(seconds: float) -> None:
        recorded.append(seconds)

    monkeypatch.setattr(time_limit, "_sleep", record)
    return recorded


@pytest.fixture
def play(table: list[Row], waits: list[float]) -> Callable[..., tuple[Ended, int]]:
    """Run a job against a server, add its row to the table, and return how it ended and the paid calls."""

    def run(
        case: str,
        pipeline: str,
        respond: Callable[[int, str], bytes | Endless],
        *,
        hold: bool = False,
        adapter: Any = None,
        silence: float = NEVER,
    ) -> tuple[Ended, int]:
        sent: list[bytes | Endless] = []

        def answer(body: dict[str, Any]) -> bytes | Endless:
            sent.append(respond(len(sent), "" if adapter else answer_to(body)))
            return sent[-1]

        began = time.perf_counter()
        with CaseServer(answer, hold=hold) as server, silent_after(silence, server) if hold else nullcontext():
            model = (adapter or OpenAIChatModel)(
                base_url=server.url,
                api_key=lambda: KEY,
                prices={},
                connect_timeout=PATIENCE,
                token_timeout=NEVER,
                grace=0.05 if hold else PATIENCE,
            )
            ended = run_job(pipeline, model)
        paid = sum(map(is_paid, sent))
        table.append(Row(case, pipeline, ended.outcome, paid, time.perf_counter() - began, sum(waits)))
        return ended, paid

    return run


@contextmanager
def silent_after(seconds: float, server: CaseServer) -> Iterator[None]:
    """Let a read of a connection that stays open end after these seconds, but not before its response was sent whole.

    So a test of silence is short, and needs no quick machine.
    """
    read, numbers = _Connection.read, dict[_Connection, int]()

    async def read_patiently(connection: _Connection, _: float | None) -> bytes:
        number = numbers.setdefault(connection, len(numbers))
        while server.sent <= number:
            with suppress(httpx2.ReadTimeout):
                return await read(connection, 0.01)
        return await read(connection, seconds)

    with patch.object(_Connection, "read", read_patiently):
        yield


def is_paid(response: bytes | Endless) -> bool:
    """Whether a model has written something."""
    if isinstance(response, Endless):
        response = response.head + response.piece
    return response.startswith(b"HTTP/1.1 200") and any(
        key in response for key in (b'"content"', b'"delta"', b'"text"')
    )


def texts_in(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_that_was_sent_is_taken_for_one_paid_call(case: str, pipeline: str, play: Any) -> None:
    ended, paid = play(case, pipeline, lambda _, answer: ANSWERS[case](answer))

    assert (ended.outcome, paid) == ("complete", CALLS[pipeline]), ended.message
    result = texts_in(ended.result)
    assert "DRAFT" not in result
    assert result.count("naïve") + result.count("na\ufffdve") >= CALLS[pipeline]
    assert "🌍" in result


WITHOUT_AN_END = "neither finish_reason nor [DONE]"


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("shape", ["as documented", "no [DONE]", WITHOUT_AN_END, "one line end between events"])
def test_an_answer_is_taken_although_its_connection_stays_open(shape: str, pipeline: str, play: Any) -> None:
    silence = 0.2 if shape == WITHOUT_AN_END else NEVER
    answered = ANSWERS[shape]
    ended, paid = play(f"{shape}, held open", pipeline, lambda _, answer: answered(answer), hold=True, silence=silence)
    assert (ended.outcome, paid) == ("complete", CALLS[pipeline]), ended.message


HALF = chunk({"content": '{"suggestions": [{"ti'})
FIRST_THEN_ANSWERED: dict[str, tuple[bytes, int, float]] = {
    "429 with Retry-After": (LIMITED, 0, 20),
    "429 with a date": (LIMITED_UNTIL, 0, 20),
    "503 while the model loads": (LOADING, 0, 0),
    "500": (http_response(500, "x"), 0, 0),
    "529": (http_response(529, {"error": {"type": "overloaded_error"}}), 0, 0),
    "an error event": (stream([{"error": {"code": "rate_limit_exceeded"}}]), 0, 0),
    "an error as text": (stream([{"error": "upstream timed out"}]), 0, 0),
    "an error page of a gateway": (http_response(200, b"<html><title>502 Bad Gateway</title></html>"), 0, 0),
    "no resources after half": (stream([HALF, chunk({}, "insufficient_system_resource"), DONE]), 1, 0),
    "half, then nothing": (stream([HALF]), 1, 0),
    "half, then [DONE]": (stream([HALF, DONE]), 1, 0),
    "an empty completion": (EMPTY, 1, 0),
    "a document that does not fit": (stream(chunks('{"unexpected": 1}')), 1, 0),
}  # fmt: skip
"""What is sent first, how many paid calls that is, and how many seconds the attempt waits."""


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("case", FIRST_THEN_ANSWERED)
def test_a_fault_that_passes_ends_in_an_answer(case: str, pipeline: str, play: Any, waits: list[float]) -> None:
    first, paid_first, waited = FIRST_THEN_ANSWERED[case]

    ended, paid = play(f"first {case}", pipeline, lambda n, answer: ANSWERS["as documented"](answer) if n else first)

    assert (ended.outcome, paid) == ("complete", CALLS[pipeline] + paid_first), ended.message
    assert sum(waits) == waited


OUT_OF_RESOURCES = chunk({}, "insufficient_system_resource")
BAD = {"error": {"code": "bad_thing", "param": "messages"}}
EVENT_401 = b'event: error\ndata: {"message": "x", "code": 401}\n\n'
PAGE = b"<!doctype html><html><title>Hi</title>"
REJECTED, REFUSED, NOT_VALID = "ModelRejectedRequest", "ModelRefused", "InvalidModelOutput"
FAILURES: dict[str, tuple[bytes, str, str]] = {
    "400": (http_response(400, BAD), REJECTED, "code bad_thing, parameter messages"),
    "401": (http_response(401, "x"), REJECTED, "API key"),
    "429 for the quota": (http_response(429, {"error": {"code": "insufficient_quota"}}), REJECTED, "quota"),
    "429 always": (LIMITED, "ModelRateLimited", "HTTP 429"),
    "503 always": (http_response(503, "x"), "ModelUnavailable", "HTTP 503"),
    "an error as JSON in a 200": (http_response(200, {"error": {"code": "model_not_found"}}), REJECTED, "unknown"),
    "an error of vLLM in a 200": (http_response(200, {"object": "error", "message": "m", "code": 400}), REJECTED, ""),
    "an error as text": (stream([{"error": "the context length of 4096 is exceeded"}, DONE]), REJECTED, "longer"),
    "event: error": (http_response(200, EVENT_401), REJECTED, "API key"),
    "event: error with words": (sse(b"event: error\ndata: Rate limit reached\n\n"), "ModelRateLimited", ""),
    "a web page": (http_response(200, PAGE, content_type="text/html"), REJECTED, "base URL"),
    "nothing": (http_response(200, b""), "ModelDisconnected", "before the output was complete"),
    "only [DONE]": (stream([DONE]), "ModelDisconnected", "before the output was complete"),
    "no resources": (stream([chunk({"content": "{"}), OUT_OF_RESOURCES]), "ModelUnavailable", "insufficient_system"),
    "finish_reason error": (stream([chunk({"content": "{"}), chunk({}, "error")]), "ModelUnavailable", "reason error"),
    "content_filter": (stream([chunk({"content": "{"}), chunk({}, "content_filter")]), REFUSED, "content policy"),
    "a refusal": (stream([chunk({"refusal": "I cannot"}), chunk({}, "stop")]), REFUSED, "content policy"),
    "cut at the limit": (stream([chunk({"content": '{"a": '}), chunk({}, "length")]), NOT_VALID, "output limit"),
    "always empty": (EMPTY, NOT_VALID, "the output is empty"),
    "the answer as reasoning": (IN_REASONING, NOT_VALID, "reasoning_content"),
    "sentences": (stream(chunks("I would rather not write JSON.")), NOT_VALID, ""),
}
"""What is sent each time, the fault, and what its message has to say."""


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("case", FAILURES)
def test_without_an_answer_the_job_fails_with_the_true_reason(case: str, pipeline: str, play: Any) -> None:
    response, outcome, said = FAILURES[case]

    ended, paid = play(case, pipeline, lambda _n, _answer: response)

    assert ended.outcome == outcome, ended.message
    assert said in ended.message
    assert paid <= 4
    assert ended.job is not None
    assert ended.job.last_fault is not None
    assert ended.job.last_fault.message == ended.message


def without_end(delta: dict[str, Any], *before: Any) -> Endless:
    """Return a stream with the events `before`, and then with this delta again and again."""
    again = stream([chunk(delta)]).partition(b"\r\n\r\n")[2]
    return Endless(stream(before or [chunk({"role": "assistant", "content": ""})]), again)


IN_JSON = {"suggestion": '{"suggestions": [{"title": "', "ideation": '{"g1": [{"title": "'}
ENDLESS: dict[str, tuple[Callable[[str], Endless], dict[str, str]]] = {
    "a text without end": (
        lambda pipeline: without_end({"content": "word " * 800}, chunk({"content": IN_JSON[pipeline]})),
        {"suggestion": "ended at 1,148,382 characters", "ideation": "characters, the longest that fits its schema"},
    ),
    "white space without end": (lambda _: without_end({"content": " \n" * 400}), dict.fromkeys(PIPELINES, "10,000")),
    "white space inside the JSON": (
        lambda pipeline: without_end({"content": "\n" * 400}, chunk({"content": IN_JSON[pipeline]})),
        dict.fromkeys(PIPELINES, "10,000 characters of white space"),
    ),
    "reasoning without end": (
        lambda _: without_end({"reasoning_content": "hmm " * 1000}),
        dict.fromkeys(PIPELINES, "reasoning was ended at 600,000 characters"),
    ),
    "<think> without end": (
        lambda _: without_end({"content": "hmm " * 1000}, chunk({"content": "<think>"})),
        dict.fromkeys(PIPELINES, "no answer was in it"),
    ),
    "an event without end": (
        lambda _: Endless(sse(b'data: {"choices": [{"delta": {"content": "'), b"word " * 20_000),
        dict.fromkeys(PIPELINES, "16,000,000 bytes without output"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("case", ENDLESS)
def test_a_model_that_never_stops_costs_one_call_that_is_ended(case: str, pipeline: str, play: Any) -> None:
    response, said = ENDLESS[case]

    ended, paid = play(case, pipeline, lambda _n, _answer: response(pipeline))

    assert (ended.outcome, paid) == ("ModelOutputTooLong", 1), ended.message
    assert said[pipeline] in ended.message


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_an_answer_behind_which_a_model_does_not_stop_is_taken(pipeline: str, play: Any) -> None:
    ended, paid = play(
        "an answer, then white space",
        pipeline,
        lambda _, answer: without_end({"content": "\n" * 400}, chunk({"content": answer})),
    )
    assert (ended.outcome, paid) == ("complete", CALLS[pipeline]), ended.message


FILE_OUTCOMES = {
    "08-insufficient-system-resource": "ModelUnavailable",
    "09-error-in-200-json": "ModelRejectedRequest",
    "09-error-string": "ModelRejectedRequest",
    "12-empty-assistant-400": "ModelRejectedRequest",
    "12-empty-completion": "InvalidModelOutput",
    "14-429-retry-after": "ModelRateLimited",
    "16-response-format-400": "ModelRejectedRequest",
    "16-stream-options-422": "ModelRejectedRequest",
}
"""The recorded responses without an answer. Every other one has one."""


@pytest.mark.parametrize("file", sorted(FILES.glob("*.http")), ids=lambda file: file.stem)
def test_a_recorded_response_ends_as_it_should(file: Path, play: Any) -> None:
    outcome = FILE_OUTCOMES.get(file.stem, "complete")
    adapter = OpenAIResponsesModel if file.stem.startswith("33-") else OpenAIChatModel

    ended, paid = play(
        file.stem, "suggestion", lambda _n, _answer: file.read_bytes(), hold="no-close" in file.stem, adapter=adapter
    )

    assert ended.outcome == outcome, ended.message
    if outcome == "complete":
        assert paid == 1
        assert len(ended.result["suggestions"]) == 3


@pytest.mark.parametrize("file", ["16-response-format-400", "16-stream-options-422"])
def test_a_recorded_refusal_of_a_parameter_is_answered_without_it(file: str, play: Any) -> None:
    refused = (FILES / f"{file}.http").read_bytes()

    ended, paid = play(
        f"{file}, then an answer", "suggestion", lambda n, answer: ANSWERS["as documented"](answer) if n else refused
    )

    assert (ended.outcome, paid) == ("complete", 1), ended.message


def test_a_provider_that_refuses_empty_turns_gets_none(play: Any) -> None:
    refused = (FILES / "12-empty-assistant-400.http").read_bytes()
    turns: list[Any] = []

    def respond(body: dict[str, Any]) -> bytes:
        turns.append([message for message in body["messages"] if not message["content"]])
        return refused if turns[-1] else EMPTY if len(turns) == 1 else ANSWERS["as documented"](answer_to(body))

    with CaseServer(respond) as server:
        ended = run_job("suggestion", OpenAIChatModel(base_url=server.url, api_key=lambda: KEY, prices={}))
    assert (ended.outcome, turns) == ("complete", [[], []])


def test_usage_that_was_not_sent_is_unknown_on_the_job(play: Any) -> None:
    ended, _ = play("no usage", "suggestion", lambda _, answer: ANSWERS["no usage"](answer))
    assert ended.job is not None
    assert (ended.job.usage.unreported_calls, ended.job.usage.input_tokens) == (1, 0)


def usage_of(ended: Ended) -> tuple[int, int, int]:
    assert ended.job is not None
    usage = ended.job.usage
    return usage.input_tokens, usage.output_tokens, usage.unreported_calls


COUNTED = {"id": "c1", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
COUNTING = {**HALF, "usage": {"prompt_tokens": 7, "completion_tokens": 1}}
ACCOUNTS: dict[str, tuple[bytes, tuple[int, int, int]]] = {
    "refused by its status": (LIMITED, (70, 300, 0)),
    "refused in its stream": (stream([{"error": {"code": "rate_limit_exceeded"}}]), (70, 300, 0)),
    "cut short": (stream([HALF]), (70, 300, 1)),
    "cut short behind a running total": (stream([COUNTING]), (77, 301, 0)),
    "failed by the provider, with its tokens": (
        stream([HALF, COUNTED, chunk({}, "insufficient_system_resource")]), (77, 303, 0)
    ),
    "failed by the provider": (stream([HALF, chunk({}, "insufficient_system_resource")]), (70, 300, 1)),
    "nothing but an end": (stream([DONE]), (70, 300, 1)),
    "repaired": (stream([*chunks('{"unexpected": 1}', usage=False)[:-1], COUNTED, DONE]), (77, 303, 0)),
    "repaired without its tokens": (stream(chunks('{"unexpected": 1}', usage=False)), (70, 300, 1)),
}  # fmt: skip
"""What the first call is, and the input tokens, output tokens and unreported calls of the job that then succeeds."""


@pytest.mark.parametrize("case", ACCOUNTS)
def test_the_tokens_of_every_call_are_on_the_job(case: str, play: Any) -> None:
    first, counted = ACCOUNTS[case]
    ended, _ = play(
        f"account: {case}", "suggestion", lambda n, answer: ANSWERS["as documented"](answer) if n else first
    )
    assert ended.outcome == "complete", ended.message
    assert usage_of(ended) == counted


FAILED_ACCOUNTS: dict[str, tuple[bytes | Endless, tuple[int, int, int]]] = {
    "rejected": (http_response(400, BAD), (0, 0, 0)),
    "a web page": (http_response(200, PAGE, content_type="text/html"), (0, 0, 0)),
    "a refusal with its tokens": (stream([HALF, COUNTED, chunk({}, "content_filter")]), (7, 3, 0)),
    "never valid": (stream([*chunks("no", usage=False)[:-1], COUNTED, DONE]), (14, 6, 0)),
    "ended at its bound": (without_end({"content": " " * 500}), (0, 0, 1)),
    "always cut short": (stream([HALF]), (0, 0, 4)),
}


@pytest.mark.parametrize("case", FAILED_ACCOUNTS)
def test_the_tokens_of_a_failed_job_are_on_it(case: str, play: Any) -> None:
    response, counted = FAILED_ACCOUNTS[case]
    ended, _ = play(f"account: {case}", "suggestion", lambda _n, _answer: response)
    assert ended.outcome != "complete"
    assert usage_of(ended) == counted


def response_of(answer: str, *, twice: bool) -> dict[str, Any]:
    message = {"id": "msg_1", "type": "message", "content": [{"type": "output_text", "text": answer}]}
    return {"id": "resp_1", "status": "completed", "output": [message] * (2 if twice else 1), "usage": None}


RESPONSES: dict[str, Callable[[str], bytes]] = {
    "one JSON document": lambda answer: http_response(200, response_of(answer, twice=False)),
    "the message twice at the end": lambda answer: stream([
        *({"type": "response.output_text.delta", "delta": part} for part in parts_of(answer)),
        {"type": "response.completed", "response": response_of(answer, twice=True)},
    ]),
    "only the end": lambda answer: stream(
        [{"type": "response.completed", "response": response_of(answer, twice=True)}]
    ),
    "a commentary first": lambda answer: stream([
        {"type": "response.output_text.delta", "delta": "I will write three."},
        *({"type": "response.output_text.delta", "delta": part} for part in parts_of(answer)),
        {"type": "response.completed", "response": response_of("I will write three." + answer, twice=False)},
    ]),
    "no last event": lambda answer: stream(
        [*({"type": "response.output_text.delta", "delta": part} for part in parts_of(answer)), DONE]
    ),
    "texts without deltas": lambda answer: stream([
        {"type": "response.output_text.done", "text": answer},
        {"type": "response.completed", "response": {**response_of(answer, twice=False), "output": []}},
    ]),
}  # fmt: skip


@pytest.mark.parametrize("case", RESPONSES)
def test_a_response_is_taken_once(case: str, play: Any) -> None:
    answer = json.dumps(ANSWERS_OF["suggestions"], ensure_ascii=False)

    ended, paid = play(
        f"Responses: {case}", "suggestion", lambda _n, _a: RESPONSES[case](answer), adapter=OpenAIResponsesModel
    )

    assert (ended.outcome, paid) == ("complete", 1), ended.message
    assert ended.result == ANSWERS_OF["suggestions"]


def test_a_whole_completion_tells_its_usage(play: Any) -> None:
    shape = ANSWERS["a whole completion"]
    ended, _ = play("usage of a whole completion", "suggestion", lambda _, answer: shape(answer))
    assert ended.job is not None
    assert ended.job.usage.total_tokens == 370
