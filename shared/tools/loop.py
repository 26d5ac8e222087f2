"""Run a conversation in which the model calls tools, until it answers or a limit is reached.

Every turn is kept twice under one item key: with its calls before they run, and again with all their results. So an
attempt that takes over runs the calls that the model has already made, and never asks for them a second time. Effects
happen once because each is published under its `origin`, which is the same in every attempt.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from shared.errors import AttemptStopped, ModelOutputTooLong, ModelTimeout, PermanentFault, TransientFault
from shared.llm.model import ChatModel, Finished, Message, ModelRequest, ResponseGone, Started, TextDelta, ToolCalled
from shared.log.events import Tool as ToolEvent
from shared.log.usage import TokenUsage
from shared.observability import metering
from shared.observability.log import log
from shared.observability.metering import Count
from shared.stages.model_answers import call_model, model_request, reset_text
from shared.stages.stage import StageContext
from shared.tools.budget import Budget
from shared.tools.result import ToolErrorCode, ToolResult, failed
from shared.tools.tool import CheckedCall, Effect, Outcome, State, Toolbox
from shared.tools.turn import PREFIX, KeptCall, Turn, key_of

T = TypeVar("T")
State_co = TypeVar("State_co", covariant=True)

TRIES = 3
"""How often a transient fault inside a call is tried before the stage fails with it."""

REPEATED_FAILURES = 3
"""After this many identical failing calls the model is told to stop; one more ends the loop."""

LAST_ANSWER = (
    "The limit of {limit} is reached, so no tool can be called any more. Answer now: say what was done, "
    "what is missing, and how to continue."
)


class Workspace(Protocol[State_co, Effect]):
    """An application's own data, as the loop reads and changes it. Faults are those of `shared/errors.py`."""

    async def state(self) -> State_co:
        """Return the current input of the tools."""

    async def published(self, origin: str) -> ToolResult | None:
        """Return the result that was published under `origin`, or None."""

    async def publish(self, origin: str, outcome: Outcome[Effect]) -> ToolResult:
        """Make the outcome's effects durable once per `origin`, and return the result, now with its `version`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a loop ended: the text of the last turn, and the limit that stopped it, if one did."""

    text: str
    turns: int
    calls: int
    stopped: str | None = None
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class _Response:
    text: str
    calls: tuple[KeptCall, ...]
    usage: TokenUsage
    truncated: bool


class ToolLoop(Generic[State, Effect]):
    """One conversation with tools, inside one stage."""

    def __init__(
        self,
        model: ChatModel,
        toolbox: Toolbox[State, Effect],
        workspace: Workspace[State, Effect],
        context: StageContext,
        *,
        budget: Budget | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._model = model
        self._toolbox = toolbox
        self._workspace = workspace
        self._context = context
        self._budget = budget or Budget()
        self._monotonic = monotonic
        self._sleep = sleep
        self._began = monotonic()
        allowed = context.agent.allowed_tools if context.agent else None
        self._allowed = None if allowed is None else frozenset(allowed)
        self._failures: Counter[str] = Counter()
        self._turns: list[Turn] = []

    async def run(self, conversation: Sequence[Message]) -> Answer:
        """Continue the conversation to the model's answer, from the last turn that an earlier attempt has kept.

        Raises the faults of the model and of the workspace. After a TransientFault the state machine tries the stage
        again, and the next attempt continues behind the last kept turn.
        """
        self._turns = self._kept_turns()
        if self._turns and not self._turns[-1].complete:
            await self._run_calls(self._turns.pop())
        while not (self._turns and not self._turns[-1].calls):
            limit = self._limit()
            response = await self._ask(conversation, limit)
            turn = Turn(
                text=response.text,
                calls=() if limit else response.calls,
                usage=response.usage,
                attempt=self._context.job.attempt,
                stopped=limit,
                truncated=response.truncated,
            )
            await self._keep(turn)
            if turn.calls:
                await self._run_calls(self._turns.pop())
        last = self._turns[-1]
        return Answer(last.text, len(self._turns), self._calls_made, last.stopped, last.truncated)

    @property
    def _calls_made(self) -> int:
        return sum(len(turn.calls) for turn in self._turns)

    def _kept_turns(self) -> list[Turn]:
        kept = [Turn.model_validate(data) for key, data in self._context.items.items() if key.startswith(PREFIX)]
        for turn in kept:
            if turn.attempt == self._lost_attempt:
                self._context.add_usage(turn.usage)
            for call, result in zip(turn.calls, turn.results, strict=False):
                self._count_failure(call, result)
        return kept

    @property
    def _lost_attempt(self) -> int | None:
        """The attempt before this one, if its function was killed: then its tokens are not on the job."""
        job, fault = self._context.job, self._context.job.last_fault
        before = job.attempt - 1
        has_ended = fault is not None and (fault.stage, fault.attempt) == (job.stage, before)
        return None if has_ended else before

    def _limit(self) -> str | None:
        if any(count > REPEATED_FAILURES for count in self._failures.values()):
            return f"{REPEATED_FAILURES} identical failing calls"
        return self._budget.spent(
            turns=len(self._turns),
            calls=self._calls_made,
            seconds=self._monotonic() - self._began,
            tokens=sum(turn.usage.total_tokens for turn in self._turns),
        )

    # ---- the model ---------------------------------------------------------------------------------------------------

    async def _ask(self, conversation: Sequence[Message], limit: str | None) -> _Response:
        """Ask for the next turn; continue a response that an earlier attempt has left running."""
        context = self._context
        messages = [*conversation, *(message for turn in self._turns for message in turn.messages)]
        if limit is not None:
            messages.append(Message("user", LAST_ANSWER.format(limit=limit)))
        request = replace(
            model_request(context, tuple(messages), None, resume_from=context.response_cursor),
            tools=self._toolbox.specs(self._allowed),
            tool_choice="auto" if limit is None else "none",
            max_chars=self._budget.turn_bytes,
        )
        context.response_cursor = None
        try:
            return await self._read(request)
        except (ResponseGone, ModelTimeout) as error:
            if request.resume_from is None:
                raise
            log.info("response not resumed", stage=context.job.stage, reason=type(error).__name__)
            await self._model.cancel(request.resume_from)
            message = "the model's response was lost; asking for it again"
            await reset_text(context, "RESTARTED", message, keep=self._kept_length)
            return await self._read(replace(request, resume_from=None))

    @property
    def _kept_length(self) -> int:
        """How many characters of the job's text belong to earlier stages and to kept turns."""
        before = self._context.previous.text if self._context.previous else ""
        return len(before) + sum(len(turn.text) for turn in self._turns)

    async def _read(self, request: ModelRequest) -> _Response:
        output = self._context.output
        calls: list[KeptCall] = []
        finished = Finished(TokenUsage())
        async with aclosing(call_model(self._model, self._context, request)) as response:
            async for piece in response:
                match piece:
                    case Started(cursor=cursor):
                        await output.store_cursor(cursor)
                    case TextDelta(text=text, cursor=cursor):
                        output.write(text, cursor=cursor)
                    case ToolCalled(call=call):
                        calls.append(KeptCall(id=call.id, name=call.name, arguments=call.arguments))
                    case Finished():
                        finished = piece
                    case _:
                        pass
        output.write("")  # a whole response needs no cursor, because its turn is kept
        return _Response(output.text[self._kept_length :], tuple(calls), finished.usage, finished.truncated)

    # ---- the calls ---------------------------------------------------------------------------------------------------

    async def _run_calls(self, turn: Turn) -> None:
        """Run the turn's calls in the model's order and keep the turn with all their results."""
        number = len(self._turns) + 1
        results: list[ToolResult] = []
        left = self._budget.turn_bytes - _kept_bytes(turn)
        for position, call in enumerate(turn.calls, start=1):
            cut_off = turn.truncated and position == len(turn.calls) and not _is_json(call.arguments)
            result = await self._run_call(call, number, position, cut_off=cut_off)
            result = _bounded(result, self._budget.result_bytes, left)
            left -= _kept_bytes(result)
            results.append(result)
        await self._keep(turn.model_copy(update={"results": tuple(results)}))

    async def _run_call(self, call: KeptCall, turn: int, position: int, *, cut_off: bool) -> ToolResult:
        key = f"{key_of(turn)}-call-{position}"
        checked = _refused_as_cut_off() if cut_off else self._checked(call, position)
        title = checked.title if isinstance(checked, CheckedCall) else call.name[:64] or "unknown tool"
        await self._context.output.append(ToolEvent(key=key, title=title, name=call.name[:64], status="started"))
        result = checked if isinstance(checked, ToolResult) else await self._executed(checked, key)
        self._count_failure(call, result)
        if self._failures[_identity(call)] == REPEATED_FAILURES:
            result = _told_to_stop(result)
        await self._context.output.append(
            ToolEvent(
                key=key,
                title=title,
                name=call.name[:64],
                status="finished" if result.ok else "failed",
                detail=_detail(result),
            )
        )
        return result

    def _checked(self, call: KeptCall, position: int) -> CheckedCall[State, Effect] | ToolResult:
        if position > self._budget.calls_per_turn:
            return failed(
                ToolErrorCode.BUDGET_SPENT,
                f"at most {self._budget.calls_per_turn} calls run in one turn",
                hint="call it again in the next turn",
            )
        if self._failures[_identity(call)] >= REPEATED_FAILURES:
            return failed(
                ToolErrorCode.REPEATED_FAILURE,
                f"this call has failed {REPEATED_FAILURES} times with the same arguments, so it is not run again",
                hint="answer without it",
            )
        return self._toolbox.check(Turn(text="", calls=(call,)).tool_calls[0], self._allowed)

    async def _executed(self, checked: CheckedCall[State, Effect], key: str) -> ToolResult:
        """Run the call once, whatever attempt this is: a result that is published under its origin is returned."""
        origin = f"{self._context.job.id}:{key}"
        try:
            return await self._retried(lambda: self._run_once(checked, origin))
        except (AttemptStopped, TransientFault):
            raise
        except PermanentFault as fault:
            return failed(fault.code.value, fault.message, hint="this will not succeed; answer without it")
        except Exception as error:  # noqa: BLE001 - a defect of one tool ends its call, not the job
            log.defect("tool broke", error, tool=checked.tool.name)
            return failed(ToolErrorCode.INTERNAL, f"the tool {checked.tool.name} failed", hint="answer without it")

    async def _run_once(self, checked: CheckedCall[State, Effect], origin: str) -> ToolResult:
        """Run the call, unless another attempt has published it, such as a superseded one that still runs.

        That is asked again when the call fails: it may have got the state that the other attempt has changed meanwhile.
        """
        published = await self._workspace.published(origin)
        if published is not None:
            return published
        state = await self._workspace.state()
        metering.count(Count.TOOL_CALLS)
        outcome = await asyncio.to_thread(checked.tool.function, state, checked.arguments)
        result = outcome.result
        if outcome.effects and result.ok:
            result = await self._workspace.publish(origin, outcome)
        if result.ok:
            return result
        return await self._workspace.published(origin) or result

    async def _retried(self, act: Callable[[], Awaitable[T]]) -> T:
        for attempt in range(1, TRIES):
            try:
                return await act()
            except TransientFault:
                await self._sleep(0.2 * 2**attempt * random.uniform(0.5, 1))  # noqa: S311 - not for secrets
        return await act()

    def _count_failure(self, call: KeptCall, result: ToolResult) -> None:
        if not result.ok:
            self._failures[_identity(call)] += 1

    async def _keep(self, turn: Turn) -> None:
        """Keep the turn as an item. Raises ModelOutputTooLong if the model has written more than one turn may have."""
        number = len(self._turns) + 1
        if not turn.results and _kept_bytes(turn) > self._budget.turn_bytes:
            most = f"{self._budget.turn_bytes:,} bytes"
            raise ModelOutputTooLong(f"the model's turn is longer than {most}, the most that one turn may have")
        await self._context.add_item(key_of(number), turn.model_dump(mode="json", exclude_none=True))
        self._turns.append(turn)


def _identity(call: KeptCall) -> str:
    """Return the call without its id, with its arguments in one order: what makes two calls the same."""
    try:
        arguments = json.dumps(json.loads(call.arguments), sort_keys=True)
    except (ValueError, RecursionError):
        arguments = call.arguments
    return f"{call.name} {arguments}"


def _is_json(arguments: str) -> bool:
    """Return whether the arguments are one whole JSON text. Empty arguments are not."""
    try:
        json.loads(arguments)
    except (ValueError, RecursionError):
        return False
    return True


def _refused_as_cut_off() -> ToolResult:
    """Refuse the call that the output limit cut off: without its arguments it would run with their defaults."""
    return failed(
        ToolErrorCode.INVALID_ARGUMENTS,
        "the output limit cut this call off before its arguments were whole, so it was not run",
        hint="call it again with shorter arguments and less text before it",
    )


def _kept_bytes(kept: Turn | ToolResult) -> int:
    """Return how many bytes this takes in the item of its turn, in which every character is ASCII."""
    return len(json.dumps(kept.model_dump(mode="json", exclude_none=True)))


def _bounded(result: ToolResult, most: int, left: int) -> ToolResult:
    """Drop the data of a result that is too large for the model, or for what is left of its turn, and say so."""
    fits = len(result.for_model.encode()) <= most and _kept_bytes(result) <= left
    if fits or result.data is None:
        return result
    most = max(0, min(most, left))
    warning = f"the result was larger than {most} bytes and was left out; ask for less"
    return result.model_copy(update={"data": None, "truncated": True, "warnings": (*result.warnings, warning)})


def _told_to_stop(result: ToolResult) -> ToolResult:
    if result.error is None:
        return result
    hint = f"this call has failed {REPEATED_FAILURES} times with the same arguments: change it or answer without it"
    return result.model_copy(update={"error": result.error.model_copy(update={"hint": hint})})


def _detail(result: ToolResult) -> dict[str, object]:
    """Return what watchers see of a result: not its data, which may be large and is for the model."""
    shown = result.model_dump(mode="json", include={"summary", "changes", "version", "warnings"}, exclude_defaults=True)
    if result.error is not None:
        shown["error"] = {"code": result.error.code, "message": result.error.message}
    return shown
