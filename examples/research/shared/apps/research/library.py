"""The library: a few short texts and one chart, which are deployed with the application."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "library"
CHART = FOLDER / "mean_level_by_month.png"
CHART_TITLE = "Mean level of the Wend at the mill's post, in metres, by month from January to December"

_WORD = re.compile(r"[a-z0-9]{3,}")
_LONGEST_STEM = 5
"""Characters of a word that count, so that `floods` finds `flooded`."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One paragraph of a source. `id` is the source's id and the paragraph's number, from 1: `flood_diary-2`."""

    id: str
    source_id: str
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """One text of the library, in passages."""

    id: str
    title: str
    origin: str
    passages: tuple[Passage, ...]

    @property
    def text(self) -> str:
        return "\n\n".join(passage.text for passage in self.passages)


@dataclass(frozen=True, slots=True)
class Library:
    """Some sources."""

    sources: tuple[Source, ...]

    def passage(self, passage_id: str) -> Passage | None:
        """Return the passage with this id, or None."""
        return next((each for source in self.sources for each in source.passages if each.id == passage_id), None)

    def search(self, words: str) -> list[Passage]:
        """Return the passages that have one of the words, those with the most different ones first."""
        wanted = stems(words)
        found = [(len(wanted & stems(each.text)), each) for source in self.sources for each in source.passages]
        return [passage for hits, passage in sorted(found, key=lambda each: -each[0]) if hits]

    def best_sources(self, words: str, most: int) -> tuple[Source, ...]:
        """Return at most `most` sources, those with the most different ones of the words first."""
        wanted = stems(words)
        return tuple(sorted(self.sources, key=lambda each: -len(wanted & stems(each.text)))[:most])

    def only(self, source_ids: Iterable[str]) -> Library:
        """Return the library of these sources, in this order."""
        by_id = {each.id: each for each in self.sources}
        return Library(tuple(by_id[source_id] for source_id in source_ids))


def stems(text: str) -> frozenset[str]:
    """Return the beginnings of the text's words of three and more characters, in lower case."""
    return frozenset(word[:_LONGEST_STEM] for word in _WORD.findall(text.lower()))


@functools.cache
def library() -> Library:
    """Return the whole library."""
    return Library(tuple(_read(file) for file in sorted(FOLDER.glob("*.txt"))))


def _read(file: Path) -> Source:
    """Read a text: its title, its author or year, an empty line, and its paragraphs with empty lines between them."""
    head, *paragraphs = file.read_text(encoding="utf-8").strip().split("\n\n")
    title, origin = head.split("\n")
    passages = tuple(
        Passage(f"{file.stem}-{number}", file.stem, title, text) for number, text in enumerate(paragraphs, start=1)
    )
    return Source(file.stem, title, origin, passages)
