"""Trace headers, and the documents that spans send."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import AttemptSuperseded, Conflict, ModelRateLimited
from shared.observability import tracing
from shared.observability.tracing import TraceHeader

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
PARENT = "53995c3f42cd8ad8"
HEADER = TraceHeader(ROOT, PARENT, sampled=True)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = []
    monkeypatch.setattr(tracing, "_send", documents.append)
    return documents


@pytest.mark.parametrize(
    ("text", "header"),
    [
        (f"Root={ROOT};Parent={PARENT};Sampled=1", HEADER),
        (f"Root={ROOT}; Parent={PARENT}; Sampled=1;Lineage=1:a87bd80c:1", HEADER),
        (f"Self=1-67891234-12456789abcdef012345678;Root={ROOT}", TraceHeader(ROOT)),
        (f"Root={ROOT};Parent=short;Sampled=?", TraceHeader(ROOT)),
        (f"Sampled=0;Root={ROOT}", TraceHeader(ROOT)),
        ("Root=1-5759e988-bd862e3fe1be46a99427279", None),
        (f"root={ROOT}", None),
        (ROOT, None),
        ("", None),
        (None, None),
        (" " * 600 + f"Root={ROOT}", None),
    ],
)
def test_a_header_is_parsed_or_ignored(text: str | None, header: TraceHeader | None) -> None:
    assert TraceHeader.parse(text) == header


@pytest.mark.parametrize("header", [HEADER, TraceHeader(ROOT), TraceHeader.new()])
def test_a_written_header_parses_to_the_same_header(header: TraceHeader) -> None:
    assert TraceHeader.parse(str(header)) == header


def test_a_span_inside_another_is_its_child(sent: list[dict[str, Any]]) -> None:
    with tracing.span("outer", at=HEADER) as outer, tracing.span("inner"):
        assert tracing.header_for(ROOT) != outer.header
    inner_document, outer_document = sent
    assert outer_document["parent_id"] == PARENT
    assert inner_document["parent_id"] == outer_document["id"]
    assert {each["trace_id"] for each in sent} == {ROOT}
    assert {each["type"] for each in sent} == {"subsegment"}
    assert outer_document["start_time"] <= inner_document["start_time"] <= inner_document["end_time"]


def test_a_span_in_another_trace_has_no_parent(sent: list[dict[str, Any]]) -> None:
    with tracing.span("request", at=TraceHeader("1-5759e988-" + "0" * 24, PARENT, sampled=True)):
        tracing.start_span("stream", at=tracing.header_for(ROOT)).end()

    assert (sent[0]["trace_id"], "parent_id" in sent[0], "type" in sent[0]) == (ROOT, False, False)


@pytest.mark.parametrize(
    ("error", "mark"),
    [
        (ModelRateLimited("slow down, quagga"), "fault"),
        (ZeroDivisionError("quagga"), "fault"),
        (Conflict("quagga"), "error"),
        (AttemptSuperseded("quagga"), "error"),
    ],
)
def test_a_span_has_the_type_of_its_exception_but_not_the_text(
    sent: list[dict[str, Any]], error: Exception, mark: str
) -> None:
    with pytest.raises(type(error)), tracing.span("stage", at=HEADER):
        raise error

    (document,) = sent
    assert document[mark] is True
    assert {"error", "fault"} & document.keys() == {mark}
    assert [each["type"] for each in document["cause"]["exceptions"]] == [type(error).__name__]
    assert "quagga" not in str(document)


@pytest.mark.parametrize(("status", "marks"), [(202, set()), (404, {"error"}), (500, {"fault"})])
def test_an_error_status_marks_the_span(sent: list[dict[str, Any]], status: int, marks: set[str]) -> None:
    with tracing.span("request", at=HEADER) as span:
        span.responded(status)

    assert {"error", "fault"} & sent[0].keys() == marks


def test_a_span_that_is_not_sampled_is_not_sent_and_passes_that_on(sent: list[dict[str, Any]]) -> None:
    with tracing.span("request", at=TraceHeader(ROOT, PARENT)):
        assert tracing.header_for(ROOT) == TraceHeader(ROOT, PARENT)
        tracing.start_span("part").end()

    assert sent == []


def test_annotating_outside_a_span_does_nothing() -> None:
    tracing.annotate(job_id="job_1")

    assert tracing.header_for(None) is None
    assert tracing.header_for("not a trace") is None
