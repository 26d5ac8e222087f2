"""The stages of the `ideation` pipeline."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import ValidationError

from shared.apps.ideation.answer_reader import GENERATED, PREPARED, AnswerReader, ReadingPlace, progress_of, take_back
from shared.apps.ideation.collection import IdeaCollection
from shared.apps.ideation.models import Arrangement, Groups, Idea, Ideation, IdeationInput, Ranking
from shared.apps.ideation.plan import genre_shares, planned_counts
from shared.apps.ideation.prompts import (
    groups_messages,
    groups_schema,
    ideas_messages,
    ideas_schema,
    ranking_messages,
    ranking_schema,
    repair_messages,
)
from shared.errors import InvalidModelOutput, ModelTimeout
from shared.llm.model import ChatModel, Message, ModelRequest, OutputSchema, ResponseGone, Started, TextDelta
from shared.observability.log import log
from shared.stages.model_answers import call_model, describe_errors, model_request
from shared.stages.stage import StageContext

MOST_BARREN_ANSWERS = 3
"""So many answers in a row without a new idea are taken to mean that there will be none."""

ARRANGED = 99.0
"""Progress in percent when the arrangement is there."""

EXPECTED_CHARS_PER_IDEA = 80
"""Length of what an arrangement usually says about one idea."""

Arranged = TypeVar("Arranged", Ranking, Groups)


class PrepareIdeas:
    """Plans how many ideas each genre gets."""

    name = "prepare_ideas"

    async def run(self, context: StageContext) -> dict[str, Any]:
        wanted = _wanted(context)
        context.output.report_progress(PREPARED)
        return {"planned": planned_counts(wanted.genre_proportions, wanted.idea_count)}


class GenerateIdeas:
    """Has the model write the ideas that are missing, until none is; every idea is kept as soon as it is there."""

    name = "generate_ideas"

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def run(self, context: StageContext) -> dict[str, Any]:
        planned = _output_before(context)["planned"]
        ideas = IdeaCollection(_wanted(context), planned, map(Idea.model_validate, context.items.values()))
        context.output.report_progress(progress_of(len(ideas.ideas), 0, ideas.count))
        if context.response_cursor is not None:
            await self._go_on(context, ideas, ReadingPlace.parse(context.response_cursor))
        barren = 0
        while ideas.missing:
            before = len(ideas.ideas)
            await self._ask(context, ideas, AnswerReader(context, ideas))
            barren = barren + 1 if len(ideas.ideas) == before else 0
            if barren == MOST_BARREN_ANSWERS:
                raise InvalidModelOutput(
                    f"the model gave {before} of {ideas.count} ideas, and {barren} times no further one that fits"
                )
        return {"ideas": [idea.model_dump(mode="json") for idea in ideas.ideas]}

    async def _go_on(self, context: StageContext, ideas: IdeaCollection, place: ReadingPlace) -> None:
        """Read the answer that an earlier attempt has left running, as far as it is still to be had."""
        try:
            await self._ask(context, ideas, AnswerReader(context, ideas, place), resume_from=place.cursor)
        except (ResponseGone, ModelTimeout) as error:
            log.info("re-attach failed", stage=self.name, reason=type(error).__name__)
            await self._model.cancel(place.cursor)  # one that hangs would hang again
            await take_back(
                context, ideas, "the model's answer was lost; what it lacks is asked for again", restarted=True
            )

    async def _ask(
        self, context: StageContext, ideas: IdeaCollection, reader: AnswerReader, *, resume_from: str | None = None
    ) -> None:
        messages = ideas_messages(_wanted(context), ideas.missing, ideas.titles)
        schema = ideas_schema(_wanted(context), ideas.missing)
        request = model_request(context, messages, schema, resume_from=resume_from)
        async with aclosing(call_model(self._model, context, request)) as answer:
            async for piece in answer:
                await reader.read(piece)
        await reader.end()


class ArrangeIdeas:
    """Has the model rank or group the ideas where that is wished for; the stream's text stays as it is."""

    name = "arrange_ideas"

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def run(self, context: StageContext) -> dict[str, Any]:
        wanted = _wanted(context)
        ideas = tuple(map(Idea.model_validate, _output_before(context)["ideas"]))
        count = len(ideas)
        ranking, groups = None, None
        match wanted.arrangement:
            case Arrangement.RANK:
                asked = ranking_messages(wanted, ideas)
                ranking = (await self._arranged(context, Ranking, count, asked, ranking_schema(count))).ranking
            case Arrangement.GROUP:
                asked = groups_messages(wanted, ideas)
                groups = (await self._arranged(context, Groups, count, asked, groups_schema(count))).groups
            case Arrangement.NONE:
                pass
        context.output.report_progress(ARRANGED)
        shares = tuple(genre_shares(wanted, ideas))
        return Ideation(ideas=ideas, genres=shares, ranking=ranking, groups=groups).model_dump(mode="json")

    async def _arranged(
        self, context: StageContext, kind: type[Arranged], count: int, asked: tuple[Message, ...], schema: OutputSchema
    ) -> Arranged:
        """What the model answers, repaired once where it does not fit."""
        answer = await self._first_answer(
            context, count, model_request(context, asked, schema, resume_from=context.response_cursor)
        )
        found = _read(kind, answer, count)
        if isinstance(found, str):
            log.info("arrangement to be repaired", reason=found)
            repair = model_request(context, repair_messages(asked, answer, found), schema)
            found = _read(kind, await self._answer(context, count, repair), count)
        if isinstance(found, str):
            raise InvalidModelOutput(f"the model's answer does not fit, also after repair: {found}")
        return found

    async def _first_answer(self, context: StageContext, count: int, request: ModelRequest) -> str:
        """Where an earlier attempt has left its last answer to be had, that one, from its beginning."""
        try:
            return await self._answer(context, count, request)
        except (ResponseGone, ModelTimeout) as error:
            if request.resume_from is None:
                raise
            log.info("re-attach failed", stage=self.name, reason=type(error).__name__)
            await self._model.cancel(request.resume_from)
            return await self._answer(context, count, replace(request, resume_from=None))

    async def _answer(self, context: StageContext, count: int, request: ModelRequest) -> str:
        answer = ""
        async with aclosing(call_model(self._model, context, request)) as said:
            async for piece in said:
                match piece:
                    case Started(cursor=cursor):
                        await context.output.store_cursor(cursor)
                    case TextDelta(text=text):
                        answer += text
                        share = min(1, len(answer) / (EXPECTED_CHARS_PER_IDEA * count))
                        context.output.report_progress(GENERATED + (ARRANGED - GENERATED) * share)
                    case _:
                        pass
        return answer


def _read(kind: type[Arranged], answer: str, count: int) -> Arranged | str:
    """The arrangement of `count` ideas that the answer is, or what is wrong with it."""
    try:
        found = kind.model_validate_json(answer)
    except ValidationError as error:
        return describe_errors(error)
    return found.misfit(count) or found


def _wanted(context: StageContext) -> IdeationInput:
    assert isinstance(context.input, IdeationInput)  # noqa: S101 - the pipeline's input model
    return context.input


def _output_before(context: StageContext) -> dict[str, Any]:
    assert context.previous is not None  # noqa: S101 - not the first stage
    return context.previous.output
