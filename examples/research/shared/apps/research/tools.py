"""The three tools of the model: pure functions of the library, the findings so far and the arguments."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from shared.apps.research.library import Library
from shared.apps.research.models import ResearchFinding
from shared.schema import Schema
from shared.tools.result import Change, ToolResult, failed
from shared.tools.tool import Outcome, Tool, Toolbox

MAX_FINDINGS = 12
_EXCERPT = 120


@dataclass(frozen=True, slots=True)
class Desk:
    """What the tools see: the chosen part of the library, and the findings so far."""

    library: Library
    findings: tuple[ResearchFinding, ...] = ()


class SearchArguments(Schema):
    words: str = Field(min_length=1, max_length=200, description="words to look for, separated by spaces")
    most: int = Field(default=5, ge=1, le=10, description="the most passages to return")


class ReadArguments(Schema):
    passage_id: str = Field(max_length=64, description="the id of a passage that search_library has returned")


class FindingArguments(Schema):
    claim: str = Field(min_length=1, max_length=300, description="one sentence that the passage supports")
    passage_id: str = Field(max_length=64, description="the id of the passage")


def search_library(desk: Desk, arguments: SearchArguments) -> Outcome[ResearchFinding]:
    """Return the passages that have one of the words, the best first."""
    found = desk.library.search(arguments.words)
    shown = [{"passageId": each.id, "source": each.source, "excerpt": each.text[:_EXCERPT]} for each in found]
    data = {"passages": shown[: arguments.most], "found": len(found)}
    truncated = len(found) > arguments.most
    if not found:
        titles = "; ".join(source.title for source in desk.library.sources)
        summary = f"no passage has one of the words; the sources are {titles}"
    else:
        summary = f"found {len(found)} passages" + (f", {arguments.most} shown" if truncated else "")
    return Outcome(ToolResult(ok=True, summary=summary, data=data, truncated=truncated))


def read_passage(desk: Desk, arguments: ReadArguments) -> Outcome[ResearchFinding]:
    """Return the passage's whole text."""
    passage = desk.library.passage(arguments.passage_id)
    if passage is None:
        return _unknown_passage(arguments.passage_id)
    data = {"passageId": passage.id, "source": passage.source, "text": passage.text}
    return Outcome(ToolResult(ok=True, summary=f"read {passage.id}", data=data))


def add_finding(desk: Desk, arguments: FindingArguments) -> Outcome[ResearchFinding]:
    """Compute the next finding. The workspace makes it durable."""
    passage = desk.library.passage(arguments.passage_id)
    if passage is None:
        return _unknown_passage(arguments.passage_id)
    if any((each.claim, each.passage_id) == (arguments.claim, passage.id) for each in desk.findings):
        return Outcome(failed("ALREADY_NOTED", "this finding is noted already", hint="note another one, or answer"))
    if len(desk.findings) >= MAX_FINDINGS:
        return Outcome(failed("ENOUGH_FINDINGS", f"at most {MAX_FINDINGS} findings are noted", hint="answer now"))
    finding = ResearchFinding(
        number=len(desk.findings) + 1, claim=arguments.claim, passage_id=passage.id, source=passage.source
    )
    return Outcome(noted(finding), (finding,))


def noted(finding: ResearchFinding) -> ToolResult:
    """Return the result of the call that added the finding: the same whenever it is asked for."""
    change = Change(kind="finding", id=str(finding.number))
    return ToolResult(ok=True, summary=f"noted finding {finding.number}", changes=(change,), version=finding.number)


def _unknown_passage(passage_id: str) -> Outcome[ResearchFinding]:
    hint = "use an id that search_library has returned"
    return Outcome(failed("UNKNOWN_PASSAGE", f"there is no passage {passage_id!r}", hint=hint))


TOOLBOX: Toolbox[Desk, ResearchFinding] = Toolbox(
    (
        Tool(
            "search_library",
            "Find passages of the library by their words.",
            SearchArguments,
            search_library,
            title=lambda arguments: f"Search for “{arguments.words}”",
        ),
        Tool(
            "read_passage",
            "Read one passage of the library.",
            ReadArguments,
            read_passage,
            title=lambda arguments: f"Read {arguments.passage_id}",
        ),
        Tool(
            "add_finding",
            "Note one finding with the passage that supports it.",
            FindingArguments,
            add_finding,
            title=lambda arguments: f"Note: {arguments.claim}",
        ),
    )
)
