"""Run the stages of the `ideation` pipeline."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from shared.apps.ideation.answer_reader import (
    GENERATED,
    PREPARED,
    AnswerReader,
    ReadPosition,
    progress_of,
    reset_to_stored_ideas,
)
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
)
from shared.errors import InvalidModelOutput, ModelOutputTooLong, ModelTimeout
from shared.llm.model import (
    ChatModel,
    Finished,
    Message,
    ModelRequest,
    OutputSchema,
    ResponseGone,
    Started,
    TextDelta,
)
from shared.log.usage import TokenUsage
from shared.observability.log import log
from shared.stages.answers import InvalidAnswer, describe_problem, read_answer, repair_messages
from shared.stages.model_answers import call_model, model_request
from shared.stages.stage import StageContext

MAX_CALLS_WITHOUT_IDEA = 3
"""Model calls in a row without a new idea after which the stage fails."""

ARRANGED = 99.0
"""Progress in percent after the arrangement."""

EXPECTED_CHARS_PER_IDEA = 80
"""The usual length of an arrangement in characters per idea, from which its progress is estimated."""

Arranged = TypeVar("Arranged", Ranking, Groups)


class PrepareIdeas:
    """Decide how many ideas each genre gets."""

    name = "prepare_ideas"

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return the planned count of each genre path, in the order of the paths."""
        job_input = _input_of(context)
        context.output.report_progress(PREPARED)
        return {"planned": planned_counts(job_input.genre_proportions, job_input.idea_count)}


class GenerateIdeas:
    """Let the model write the missing ideas until none is missing, and store every idea when it is finished."""

    name = "generate_ideas"

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return all ideas.

        Raises InvalidModelOutput if MAX_CALLS_WITHOUT_IDEA calls in a row bring no valid idea, and the model faults. An
        output that does not stop behind the last missing idea is no fault.
        """
        planned = _previous_output(context)["planned"]
        ideas = IdeaCollection(_input_of(context), planned, map(Idea.model_validate, context.items.values()))
        context.output.report_progress(progress_of(len(ideas.ideas), 0, ideas.count))
        if context.response_cursor is not None:
            await self._reattach(context, ideas, ReadPosition.parse(context.response_cursor))
        calls_without_idea = 0
        while ideas.missing:
            before = len(ideas.ideas)
            reader = AnswerReader(context, ideas)
            await self._read_response(context, ideas, reader)
            calls_without_idea = calls_without_idea + 1 if len(ideas.ideas) == before else 0
            if calls_without_idea == MAX_CALLS_WITHOUT_IDEA:
                raise InvalidModelOutput(
                    f"the model wrote {before} of {ideas.count} ideas, and no further valid one in "
                    f"{calls_without_idea} calls: {reader.problem}; resume the job to continue"
                )
        return {"ideas": [idea.model_dump(mode="json") for idea in ideas.ideas]}

    async def _reattach(self, context: StageContext, ideas: IdeaCollection, position: ReadPosition) -> None:
        """Read the rest of a response that an earlier attempt started. If it is gone, reset to the stored ideas."""
        try:
            reader = AnswerReader(context, ideas, position)
            await self._read_response(context, ideas, reader, resume_from=position.cursor)
        except (ResponseGone, ModelTimeout) as error:
            log.info("re-attach failed", stage=self.name, reason=type(error).__name__)
            await self._model.cancel(position.cursor)  # a response that hangs would hang the next attempt, too
            message = "the model's output was lost; the missing ideas are requested again"
            await reset_to_stored_ideas(context, ideas, message, restarted=True)

    async def _read_response(
        self, context: StageContext, ideas: IdeaCollection, reader: AnswerReader, *, resume_from: str | None = None
    ) -> None:
        messages = ideas_messages(_input_of(context), ideas.missing, ideas.titles)
        schema = ideas_schema(_input_of(context), ideas.missing)
        request = model_request(context, messages, schema, resume_from=resume_from)
        try:
            async with aclosing(call_model(self._model, context, request)) as pieces:
                async for piece in pieces:
                    await reader.read(piece)
        except ModelOutputTooLong:
            if ideas.missing:
                raise
        await reader.end()


class ArrangeIdeas:
    """Let the model rank or group the ideas if the job's input asks for it. The stream's text does not change."""

    name = "arrange_ideas"

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return the job's result.

        Raises InvalidModelOutput if the arrangement is not valid even after a repair, and the model faults.
        """
        job_input = _input_of(context)
        ideas = tuple(map(Idea.model_validate, _previous_output(context)["ideas"]))
        count = len(ideas)
        ranking, groups = None, None
        match job_input.arrangement:
            case Arrangement.RANK:
                prompt = ranking_messages(job_input, ideas)
                ranking = (await self._arrange(context, Ranking, count, prompt, ranking_schema(count))).ranking
            case Arrangement.GROUP:
                prompt = groups_messages(job_input, ideas)
                groups = (await self._arrange(context, Groups, count, prompt, groups_schema(count))).groups
            case Arrangement.NONE:
                pass
        context.output.report_progress(ARRANGED)
        shares = tuple(genre_shares(job_input, ideas))
        return Ideation(ideas=ideas, genres=shares, ranking=ranking, groups=groups).model_dump(mode="json")

    async def _arrange(
        self, context: StageContext, kind: type[Arranged], count: int, prompt: tuple[Message, ...], schema: OutputSchema
    ) -> Arranged:
        """Return the arrangement that the model writes. If it is not valid, let the model repair it once."""
        output = await self._first_output(
            context, count, model_request(context, prompt, schema, resume_from=context.response_cursor)
        )
        try:
            return _parse(kind, output, count)
        except InvalidAnswer as invalid:
            problem = str(invalid)
        log.info("arrangement to be repaired", reason=problem)
        repair = model_request(context, repair_messages(prompt, output.text, problem, schema), schema)
        try:
            return _parse(kind, await self._read_output(context, count, repair), count)
        except InvalidAnswer as invalid:
            message = f"the model's output is not valid, even after a repair: {invalid}"
            raise InvalidModelOutput(message) from None

    async def _first_output(self, context: StageContext, count: int, request: ModelRequest) -> _Output:
        """Return the output of the response that an earlier attempt started; if it is gone, of a new one."""
        try:
            return await self._read_output(context, count, request)
        except (ResponseGone, ModelTimeout) as error:
            if request.resume_from is None:
                raise
            log.info("re-attach failed", stage=self.name, reason=type(error).__name__)
            await self._model.cancel(request.resume_from)
            return await self._read_output(context, count, replace(request, resume_from=None))

    async def _read_output(self, context: StageContext, count: int, request: ModelRequest) -> _Output:
        """Call the model and return its whole output.

        Only the cursor before any text is stored, so an attempt that re-attaches reads the output from its beginning.
        """
        output = ""
        finished = Finished(TokenUsage())
        async with aclosing(call_model(self._model, context, request)) as pieces:
            async for piece in pieces:
                match piece:
                    case Started(cursor=cursor):
                        await context.output.store_cursor(cursor)
                    case TextDelta(text=text):
                        output += text
                        share = min(1, len(output) / (EXPECTED_CHARS_PER_IDEA * count))
                        context.output.report_progress(GENERATED + (ARRANGED - GENERATED) * share)
                    case Finished():
                        finished = piece
                    case _:
                        pass
        return _Output(output, finished)


@dataclass(frozen=True, slots=True)
class _Output:
    text: str
    finished: Finished


def _parse(kind: type[Arranged], output: _Output, count: int) -> Arranged:
    """Return the arrangement of `count` ideas in the output. Raises InvalidAnswer if there is none."""
    try:
        return read_answer(kind, output.text, misfit=lambda found: found.misfit(count))
    except InvalidAnswer as invalid:
        raise InvalidAnswer(describe_problem(str(invalid), output.finished)) from None


def _input_of(context: StageContext) -> IdeationInput:
    assert isinstance(context.input, IdeationInput)  # noqa: S101 - the pipeline's input model
    return context.input


def _previous_output(context: StageContext) -> dict[str, Any]:
    assert context.previous is not None  # noqa: S101 - not the first stage
    return context.previous.output
