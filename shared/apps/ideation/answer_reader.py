"""Read the model's output while it arrives: stream each idea as it grows, and store it when it is finished."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from shared.apps.ideation.collection import IdeaCollection, InvalidIdea
from shared.apps.ideation.scanner import ElementPart, ElementScanner
from shared.llm.json_in_text import AnswerStart, find_documents
from shared.llm.model import Finished, Piece, ResponseGone, Started, TextDelta
from shared.log.usage import TokenUsage
from shared.observability.log import log
from shared.stages.answers import EMPTY, describe_problem
from shared.stages.model_answers import reset_text
from shared.stages.stage import StageContext

PREPARED = 5.0
"""Progress in percent before the first idea."""

GENERATED = 90.0
"""Progress in percent after the last idea."""

EXPECTED_CHARS = 600
"""The usual length of an idea in characters, from which the progress within an idea is estimated."""


def progress_of(stored: int, length: int, count: int) -> float:
    """Return the progress in percent after `stored` of `count` ideas and `length` characters of the next idea.

    An unfinished idea counts at most 0.99 of a finished one.
    """
    return PREPARED + (GENERATED - PREPARED) * (stored + min(0.99, length / EXPECTED_CHARS)) / count


@dataclass(frozen=True, slots=True)
class ReadPosition:
    """How far an output was read: `offset` characters after the response's `cursor`, with the scanner in its `state`.

    The offset is needed because a response has cursors only between deltas, and an idea may end inside a delta.
    """

    cursor: str
    offset: int
    state: str

    def __str__(self) -> str:
        return json.dumps([self.cursor, self.offset, self.state])

    @classmethod
    def parse(cls, text: str) -> ReadPosition:
        """Return the position that `str` wrote."""
        return cls(*json.loads(text))


class AnswerReader:
    """Read one output of the model: write each idea to the stream as JSON, one per line, and store it as an item."""

    def __init__(self, context: StageContext, ideas: IdeaCollection, position: ReadPosition | None = None) -> None:
        """Begin with a new output, or at the position up to which an earlier attempt has read its output.

        Raises ResponseGone if the stream's text does not match the position.
        """
        if position is not None and context.output.text.count("\n") != len(ideas.ideas):
            raise ResponseGone("the stream's text and the stored ideas differ")
        self._context = context
        self._ideas = ideas
        self._scanner = ElementScanner(position.state if position else None)
        self._cursor = position.cursor if position else None
        self._offset = position.offset if position else 0
        self._idea = context.output.text.rpartition("\n")[2] if position else ""
        begun = position is not None and position.state != ElementScanner().state
        self._start = None if begun else AnswerStart()
        self._output: list[str] = []
        self._finished = Finished(TokenUsage())
        self._dropped: str | None = None

    async def read(self, piece: Piece) -> None:
        """Read the next piece of the response."""
        match piece:
            case Started(cursor=cursor):
                self._cursor = cursor
                await self._context.output.store_cursor(str(ReadPosition(cursor, 0, self._scanner.state)))
            case TextDelta(text=text, cursor=cursor):
                skipped = min(self._offset, len(text))
                self._output.append(text[skipped:])
                begin = skipped + self._skip_to_start(text[skipped:])
                for part in self._scanner.scan(text[begin:]):
                    await self._read_part(part, begin + part.end)
                self._cursor, self._offset = cursor, self._offset - skipped
            case Finished():
                self._finished = piece
            case _:
                pass

    async def end(self) -> None:
        """Finish the output: if it ended inside an idea, remove the unfinished idea from the stream's text.

        Then read the whole output leniently for the ideas that are still missing: they may be behind sentences or in
        JSON with slips.
        """
        if self._idea:
            self._idea = ""
            message = "the model's output ended inside an idea; the unfinished idea is dropped"
            await reset_to_stored_ideas(self._context, self._ideas, message)
        if self._ideas.missing:
            for key, text in _elements_of("".join(self._output), self._ideas):
                await self._add_late(key, text)

    @property
    def problem(self) -> str:
        """Why the output brought no idea, without a word of the model."""
        if not "".join(self._output).strip():
            return describe_problem(EMPTY, self._finished)
        return describe_problem(self._dropped or "there is no list of ideas in the output", self._finished)

    def _skip_to_start(self, text: str) -> int:
        """Return how many characters come before the answer: reasoning and a fence."""
        begin = 0 if self._start is None else self._start.find(text)
        if begin is None:
            return len(text)
        self._start = None
        return begin

    async def _add_late(self, key: str, text: str) -> None:
        """Store an idea that was found in the whole output, unless it is stored already or is not valid."""
        if not self._ideas.lacks(key):
            return
        try:
            idea = self._ideas.next_idea(key, text)
        except InvalidIdea as invalid:
            self._dropped = str(invalid)
            return
        self._ideas.add(idea)
        self._report_progress(0)
        self._context.output.write(text + "\n")
        await self._context.add_item(f"idea-{idea.number}", idea.model_dump(mode="json"))

    async def _read_part(self, part: ElementPart, offset: int) -> None:
        if not self._ideas.lacks(part.key):
            return
        self._idea += part.text
        if part.ends:
            await self._finish_idea(part, offset)
        else:
            self._report_progress(len(self._idea))
            self._write(part.text, offset)

    async def _finish_idea(self, part: ElementPart, offset: int) -> None:
        text, self._idea = self._idea, ""
        try:
            idea = self._ideas.next_idea(part.key, text)
        except InvalidIdea as invalid:
            log.info("idea dropped", reason=str(invalid))
            self._dropped = str(invalid)
            message = f"an idea is not valid and is dropped: {invalid}"
            await reset_to_stored_ideas(self._context, self._ideas, message)
            return
        self._ideas.add(idea)
        self._report_progress(0)
        self._write(part.text + "\n", offset)
        await self._context.add_item(f"idea-{idea.number}", idea.model_dump(mode="json"))

    def _write(self, text: str, offset: int) -> None:
        position = None if self._cursor is None else str(ReadPosition(self._cursor, offset, self._scanner.state))
        self._context.output.write(text, cursor=position)

    def _report_progress(self, length: int) -> None:
        self._context.output.report_progress(progress_of(len(self._ideas.ideas), length, self._ideas.count))


def _elements_of(output: str, ideas: IdeaCollection) -> Iterator[tuple[str, str]]:
    """Yield the list's name and the JSON text of each idea in the last document of the output that has any.

    If only one list is missing, a list without a name, or the only one with another name, is taken for it.
    """
    documents = find_documents(output).documents
    only = ideas.only_missing_list
    for document in reversed(documents):
        lists = document if isinstance(document, dict) else {"": document}
        lists = {key: each for key, each in lists.items() if isinstance(each, list)}
        if only is not None and only not in lists and len(lists) == 1:
            lists = dict.fromkeys([only], *lists.values())
        found = [(key, each) for key, elements in lists.items() for each in elements if isinstance(each, dict)]
        if any(ideas.lacks(key) for key, _ in found):
            yield from ((key, json.dumps(each, ensure_ascii=False)) for key, each in found)
            return


async def reset_to_stored_ideas(
    context: StageContext, ideas: IdeaCollection, message: str, *, restarted: bool = False
) -> None:
    """Reset the text to the stored ideas; `message` says why, `restarted` that the model starts again."""
    progress = progress_of(len(ideas.ideas), 0, ideas.count)
    finished_lines = context.output.text.split("\n")[:-1]
    keep = sum(len(line) + 1 for line in finished_lines[: len(ideas.ideas)])
    await reset_text(context, "RESTARTED" if restarted else "REPAIR", message, keep=keep, progress=progress)
