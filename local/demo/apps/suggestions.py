"""What the demo shows of the application `suggestions`: the suggestions while they are written, and as cards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic_core import from_json
from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from local.demo.pipeline import PipelineDemo
from local.demo.screen import ACCENT, MUTED, Paragraph, printable
from shared.apps.suggestions.models import FeatureType, PriorityLevel, Suggestion, SuggestionInput, Suggestions
from shared.apps.suggestions.pipeline import PIPELINE

_LABELS = {"rationale": "why", "description": "what", "implementationConsiderations": "mind"}


class SuggestionDemo(PipelineDemo):
    """Three features for a checkout page."""

    pipeline = PIPELINE

    def __init__(self, directive: str | None = None) -> None:
        self._input = SuggestionInput(
            page_or_component="Checkout page",
            feature_type=FeatureType.ENHANCEMENT,
            priority_level=PriorityLevel.HIGH,
            additional_context="A third of the carts are left at the payment step, most of them on phones."
            + (f" [[script: {directive}]]" if directive else ""),
        )

    @property
    def summary(self) -> str:
        asked = self._input
        return f"{asked.feature_type} for “{asked.page_or_component}”, priority {asked.priority_level}"

    @property
    def job_input(self) -> Mapping[str, Any]:
        return self._input.model_dump(mode="json", exclude_none=True)

    def preview(self, text: str) -> list[Paragraph]:
        """Read the JSON as far as it was streamed."""
        try:
            suggestions = from_json(text, allow_partial="trailing-strings")["suggestions"]
            return [each for number, one in enumerate(suggestions, start=1) for each in _paragraphs(number, one)]
        except (ValueError, TypeError, KeyError, AttributeError):
            # The text does not fit the schema, or not yet: show it unchanged.
            return [("", Text(printable(text)))]

    def cards(self, result: Mapping[str, Any]) -> Iterator[RenderableType]:
        for number, each in enumerate(Suggestions.model_validate(result).suggestions, start=1):
            yield _card(number, each)


def _paragraphs(number: int, suggestion: Mapping[str, Any]) -> Iterator[Paragraph]:
    """Yield paragraphs in the order of the stream: so only the last one changes later."""
    for name, value in suggestion.items():
        for each in value if isinstance(value, list) else [value]:
            if name == "title":
                yield "", Text(printable(f"{number}  {each}"), style=f"bold {ACCENT}")
            elif each:
                yield _LABELS.get(name, "more"), Text(printable(str(each)))


def _card(number: int, suggestion: Suggestion) -> RenderableType:
    body = Table.grid(padding=(0, 2), expand=True)
    body.add_column(style=MUTED, no_wrap=True)
    body.add_column(ratio=1)
    body.add_row("what", Text(printable(suggestion.description)))
    body.add_row("why", Text(printable(suggestion.rationale)))
    body.add_row("mind", _bullets(suggestion.implementation_considerations))
    title = Text(printable(f" {number}  {suggestion.title} "), style=f"bold {ACCENT}")
    return Panel(body, title=title, title_align="left", border_style=MUTED, box=box.ROUNDED, padding=(0, 1))


def _bullets(points: Sequence[str]) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style=MUTED)
    grid.add_column(ratio=1)
    for point in points:
        grid.add_row("·", Text(printable(point)))
    return Group(grid)


DEMOS: Final = (SuggestionDemo,)
