"""What the demo shows of the application `research`: the tool calls, the findings, and the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich import box
from rich.console import RenderableType
from rich.panel import Panel
from rich.text import Text

from local.demo.pipeline import Extras, PipelineDemo
from local.demo.screen import ACCENT, GOOD, MUTED, WARNING, Paragraph, printable
from shared.apps.research.models import ResearchInput, ResearchReport
from shared.apps.research.pipeline import PIPELINE
from shared.log.events import StreamEvent, Subtask, Tool
from shared.log.transcript import Transcript


class ResearchExtras(Extras):
    """Show each tool call when it ends, and each finding."""

    def on_event(self, number: int, event: StreamEvent, now: Transcript) -> None:  # noqa: ARG002 - all extras have them
        match event:
            case Tool(name="add_finding", status="finished"):
                pass  # the finding itself is shown
            case Tool(status="finished" | "failed") | Subtask(status="finished" | "failed"):
                self.screen.event(
                    event.type, event.title or event.type, GOOD if event.status == "finished" else WARNING
                )
            case _ if event.type == "finding":
                finding = event.model_dump(mode="json")["finding"]
                self.screen.event("finding", f"{finding['number']}: {finding['claim']} ({finding['source']})", ACCENT)
            case _:
                pass


class ResearchDemo(PipelineDemo):
    """A question about the floods of a river."""

    pipeline = PIPELINE
    extras = ResearchExtras

    def __init__(self, directive: str | None = None) -> None:
        script = f" [[script: {directive}]]" if directive else ""
        self._input = ResearchInput(question=f"Why are the worst floods of the Wend in March?{script}")

    @property
    def summary(self) -> str:
        return self._input.question

    @property
    def job_input(self) -> Mapping[str, Any]:
        return self._input.model_dump(mode="json", exclude_none=True)

    def preview(self, text: str) -> list[Paragraph]:
        return [("", Text(printable(line))) for line in text.split("\n") if line]

    def cards(self, result: Mapping[str, Any]) -> Iterator[RenderableType]:
        report = ResearchReport.model_validate(result)
        yield _panel("answer", Text(printable(report.answer)), ACCENT)
        for each in report.findings:
            body = Text.assemble(printable(each.claim), "\n", (printable(f"{each.passage_id}: {each.source}"), MUTED))
            yield _panel(f"finding {each.number}", body, MUTED)


def _panel(title: str, body: Text, style: str) -> Panel:
    return Panel(body, title=f" {title} ", title_align="left", border_style=style, box=box.ROUNDED)


DEMOS: Final = (ResearchDemo,)
