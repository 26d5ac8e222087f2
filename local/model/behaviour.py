"""How the scripted model behaves: as a rule says that was posted to it, or a directive inside a prompt."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from local.model.directives import SCRIPT, UnreadableDirective

_SETTING: Final = re.compile(r'(?P<name>\w+)(?:\s*=\s*(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s,"]+)))?')


class Behaviour(BaseModel):
    """Deviations from a plausible output at the default pace. `…_after` counts the tokens that are sent before it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Send this HTTP status instead of an output.
    status: int | None = Field(default=None, ge=400, le=599)
    # Send this HTTP status to a client that reads the response again (OpenAI: 400 after five minutes).
    resume_status: int | None = Field(default=None, ge=400, le=599)
    error_code: str | None = None
    retry_after: int | None = None

    # Pace. A response pauses until the script is told to release its prompt (`Script.release`).
    first_token_ms: float | None = Field(default=None, ge=0)
    token_ms: float | None = Field(default=None, ge=0)
    pause_after: int | None = Field(default=None, ge=0)

    # The output.
    text: str | None = None
    tokens: int | None = Field(default=None, ge=1)
    timestamps: bool = False
    invalid_json: bool = False
    off_schema: bool = False

    # Which tools are called, and how. Without a plan, the first four need a tool that the request offers.
    bad_arguments: bool = False
    unknown_tool: bool = False
    parallel: int | None = Field(default=None, ge=1)
    repeat_forever: bool = False
    split_arguments: bool = False
    no_call: bool = False

    # Further token counts of the usage.
    cached_tokens: int | None = Field(default=None, ge=0)
    reasoning_tokens: int | None = Field(default=None, ge=0)

    # The end. A background response continues after `disconnect_after` or `clean_end_after` has ended its connections,
    # and later connections are not ended.
    length: bool = False
    refusal: bool = False
    content_filter: bool = False
    disconnect_after: int | None = Field(default=None, ge=0)
    clean_end_after: int | None = Field(default=None, ge=0)
    hang_after: int | None = Field(default=None, ge=0)
    error_after: int | None = Field(default=None, ge=0)
    omit_finish_reason: bool = False
    omit_usage: bool = False

    @property
    def misuses_tools(self) -> bool:
        """Whether a tool is called even if nothing in the request says which."""
        return self.bad_arguments or self.unknown_tool or self.repeat_forever or self.parallel is not None

    @property
    def breaks_off_after(self) -> int | None:
        """The number of tokens after which the output breaks off; None if it does not."""
        points = (self.disconnect_after, self.clean_end_after, self.hang_after, self.error_after)
        return min((point for point in points if point is not None), default=None)

    @property
    def fault(self) -> str | None:
        """The name of the fault in the request record; None for an ordinary output."""
        if self.status is not None:
            return f"status {self.status}"
        names = ("disconnect_after", "clean_end_after", "hang_after", "error_after", "refusal", "content_filter")
        return next(
            (name for name in names if getattr(self, name) is not None and getattr(self, name) is not False), None
        )


class Rule(BaseModel):
    """Applies to prompts whose last user message contains `match` (None: to all), `times` times (None: always)."""

    model_config = ConfigDict(extra="forbid")

    match: str | None = None
    times: int | None = Field(default=None, ge=1)
    behaviour: Behaviour


class Release(BaseModel):
    """Releases responses that pause, whose request contains `match`."""

    model_config = ConfigDict(extra="forbid")

    match: str


class Script:
    """Chooses the behaviour of each request: the oldest fitting rule that is left, else the prompt's directive."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._directive_uses: Counter[str] = Counter()
        self._released: list[str] = []
        self._changed = asyncio.Event()

    def add(self, rule: Rule) -> None:
        self._rules.append(rule)

    def clear(self) -> None:
        """Forget all rules, uses of directives, and releases."""
        self._rules.clear()
        self._directive_uses.clear()
        self._released.clear()

    def release(self, match: str) -> None:
        """Continue the responses to prompts that contain `match`: those that pause now, and those that would later."""
        self._released.append(match)
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for_release(self, prompt: str) -> None:
        """Return when the prompt is released, at once if it was released before."""
        while not any(match in prompt for match in self._released):
            await self._changed.wait()

    def behaviour_for(self, prompt: str) -> Behaviour:
        """Return the behaviour for one request, and count it as used. Raises UnreadableDirective."""
        for rule in self._rules:
            if rule.match is None or rule.match in prompt:
                if rule.times is not None:
                    rule.times -= 1
                    if rule.times == 0:
                        self._rules.remove(rule)
                return rule.behaviour
        directive = SCRIPT.search(prompt)
        if directive is None:
            return Behaviour()
        directed = _read_directive(directive)
        # A retry sends the same prompt again, or one that differs after the directive because it asks only for what is
        # missing. So `times` counts the prompts that are equal up to the end of the directive.
        beginning = prompt[: directive.end()]
        self._directive_uses[beginning] += 1
        used_up = directed.times is not None and self._directive_uses[beginning] > directed.times
        return Behaviour() if used_up else directed.behaviour


def _read_directive(found: re.Match[str]) -> Rule:
    settings: dict[str, str] = {}
    for setting in _SETTING.finditer(found["body"]):
        value = setting["quoted"] if setting["quoted"] is not None else setting["plain"]
        settings[setting["name"]] = "true" if value is None else value
    times = settings.pop("times", None)
    try:
        return Rule.model_validate({"times": times, "behaviour": settings})
    except ValidationError as error:
        problems = "; ".join(f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors())
        raise UnreadableDirective(f"{found[0]} cannot be read: {problems}") from error
