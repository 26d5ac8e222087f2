"""Reading an answer while it comes: its ideas onto the job's stream as they grow, and kept as they end."""

from __future__ import annotations

import json
from dataclasses import dataclass

from shared.apps.ideation.collection import IdeaCollection, NotAnIdea
from shared.apps.ideation.scanner import ElementPart, ElementScanner
from shared.llm.model import Piece, ResponseGone, Started, TextDelta
from shared.observability.log import log
from shared.stages.model_answers import reset_text
from shared.stages.stage import StageContext

PREPARED = 5.0
"""Progress in percent when the first idea is asked for."""

GENERATED = 90.0
"""Progress in percent when the last idea is there."""

EXPECTED_CHARS = 600
"""Length of a usual idea, which its share of the progress is measured by."""


def progress_of(kept: int, length: int, count: int) -> float:
    """With `kept` of `count` ideas and `length` characters of the next one; less than that one's end would give."""
    return PREPARED + (GENERATED - PREPARED) * (kept + min(0.99, length / EXPECTED_CHARS)) / count


@dataclass(frozen=True, slots=True)
class ReadingPlace:
    """How far an answer has been read: `ahead` characters beyond the response's `cursor`, the scanner in its `state`.

    A response has cursors between its deltas only, and an idea may end in the middle of one.
    """

    cursor: str
    ahead: int
    state: str

    def __str__(self) -> str:
        return json.dumps([self.cursor, self.ahead, self.state])

    @classmethod
    def parse(cls, text: str) -> ReadingPlace:
        return cls(*json.loads(text))


class AnswerReader:
    """Reads one answer. The stream's text is the JSON of each idea on a line of its own."""

    def __init__(self, context: StageContext, ideas: IdeaCollection, place: ReadingPlace | None = None) -> None:
        """`place`: where another reader has left off. Raises ResponseGone if the stream's text is not from there."""
        if place is not None and context.output.text.count("\n") != len(ideas.ideas):
            raise ResponseGone("the text does not end where the ideas do")
        self._context = context
        self._ideas = ideas
        self._scanner = ElementScanner(place.state if place else None)
        self._cursor = place.cursor if place else None
        self._ahead = place.ahead if place else 0
        self._idea = context.output.text.rpartition("\n")[2] if place else ""

    async def read(self, piece: Piece) -> None:
        match piece:
            case Started(cursor=cursor):
                self._cursor = cursor
                await self._context.output.store_cursor(str(ReadingPlace(cursor, 0, self._scanner.state)))
            case TextDelta(text=text, cursor=cursor):
                known = min(self._ahead, len(text))
                for part in self._scanner.scan(text[known:]):
                    await self._take(part, known + part.end)
                self._cursor, self._ahead = cursor, self._ahead - known
            case _:
                pass

    async def end(self) -> None:
        """The answer is over: what there is of an idea that has not ended is taken out again."""
        if self._idea:
            await take_back(self._context, self._ideas, "the answer ended in the middle of an idea")

    async def _take(self, part: ElementPart, ahead: int) -> None:
        if not self._ideas.wants(part.key):
            return
        self._idea += part.text
        if part.ends:
            await self._finish(part, ahead)
        else:
            self._report(len(self._idea))
            self._write(part.text, ahead)

    async def _finish(self, part: ElementPart, ahead: int) -> None:
        text, self._idea = self._idea, ""
        try:
            idea = self._ideas.next_idea(part.key, text)
        except NotAnIdea as why:
            log.info("idea left out", reason=str(why))
            await take_back(self._context, self._ideas, f"an idea did not fit and is left out: {why}")
            return
        self._ideas.add(idea)
        self._report(0)
        self._write(part.text + "\n", ahead)
        await self._context.add_item(f"idea-{idea.number}", idea.model_dump(mode="json"))

    def _write(self, text: str, ahead: int) -> None:
        place = None if self._cursor is None else str(ReadingPlace(self._cursor, ahead, self._scanner.state))
        self._context.output.write(text, cursor=place)

    def _report(self, length: int) -> None:
        self._context.output.report_progress(progress_of(len(self._ideas.ideas), length, self._ideas.count))


def standing_text(text: str, ideas: IdeaCollection) -> str:
    """The lines of the ideas there are."""
    return "".join(f"{line}\n" for line in text.split("\n")[:-1][: len(ideas.ideas)])


async def take_back(context: StageContext, ideas: IdeaCollection, why: str, *, restarted: bool = False) -> None:
    """Tell the watchers that only the ideas there are stand."""
    progress = progress_of(len(ideas.ideas), 0, ideas.count)
    text = standing_text(context.output.text, ideas)
    await reset_text(context, "RESTARTED" if restarted else "REPAIR", why, text=text, progress=progress)
