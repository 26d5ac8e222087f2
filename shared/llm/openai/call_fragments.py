"""Join the fragments of the tool calls in a streamed chat completion, as real servers number them."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

from shared.characters import whole_characters, whole_escapes
from shared.llm.model import ToolCall


@dataclass(slots=True)
class _Call:
    """A call as far as it has arrived, or one fragment of a call."""

    index: int | None
    id: str
    name: str
    arguments: str

    def may_continue(self, earlier: _Call) -> bool:
        """Whether this fragment can belong to the earlier call: neither its id nor its name says otherwise."""
        if self.id and earlier.id:
            return self.id == earlier.id
        return not (self.name and earlier.name) or self.name == earlier.name

    @property
    def has_whole_arguments(self) -> bool:
        try:
            return isinstance(json.loads(self.arguments), dict)
        except (ValueError, RecursionError):
            return False


class CallFragments:
    """The tool calls of one chat completion.

    OpenAI numbers parallel calls by `index` and sends `id` and `name` once. Other servers number all calls 0 (Ollama),
    leave out the index (Gemini) or the id (Ollama), repeat the name in every fragment (MiniMax), send empty ids in
    later fragments (DashScope), or send the arguments as an object. So a fragment begins a new call if its index, its
    id or its name is another one, or if the arguments so far are a whole object and another object begins.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def add(self, fragment: dict[str, Any]) -> None:
        """Take one fragment. Raises TypeError or AttributeError for a fragment of another shape."""
        function = fragment.get("function") or {}
        index = fragment.get("index")
        part = _Call(
            index=index if isinstance(index, int) else None,
            id=str(fragment.get("id") or ""),
            name=str(function.get("name") or ""),
            arguments=arguments_text(function.get("arguments")),
        )
        call = self._latest_like(part)
        if call is None or not part.may_continue(call):
            self._calls.append(part)
        elif part.arguments.lstrip().startswith("{") and call.has_whole_arguments:
            self._add_after_whole(call, part)
        else:
            _join(call, part)

    def __bool__(self) -> bool:
        """Whether a call has begun."""
        return bool(self._calls)

    @property
    def arguments_length(self) -> int:
        """The number of characters in the arguments so far."""
        return sum(len(call.arguments) for call in self._calls)

    @property
    def all_whole(self) -> bool:
        """Whether the arguments of every call are a whole JSON object, or none."""
        return all(call.has_whole_arguments or not call.arguments.strip() for call in self._calls)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The calls in the order in which they began.

        A call without an id, or with the id of an earlier call, gets an id of ours: results are matched by it.
        """
        known: set[str] = set()
        for call in self._calls:
            if not call.id or call.id in known:
                call.id = f"call_{uuid.uuid4().hex}"
            known.add(call.id)
        return tuple(
            ToolCall(whole_characters(call.id), whole_characters(call.name), whole_escapes(call.arguments))
            for call in self._calls
        )

    def _latest_like(self, part: _Call) -> _Call | None:
        """Return the call that the fragment continues by its index and its id: without them, the latest one."""
        like = [
            call
            for call in reversed(self._calls)
            if part.index is None or call.index is None or call.index == part.index
        ]
        same_id = (call for call in like if part.id and call.id == part.id)
        return next(same_id, like[0] if like else None)

    def _add_after_whole(self, call: _Call, part: _Call) -> None:
        """Take an object behind whole arguments: a second call, unless it replaces a placeholder or repeats them."""
        if call.arguments.strip() == "{}" and not part.name:
            call.arguments = part.arguments
        elif not (call.id and part.arguments == call.arguments):
            part.name = part.name or call.name
            self._calls.append(part)


def arguments_text(arguments: Any) -> str:
    """Return a call's arguments as text, also if a server sends them as an object."""
    if arguments is None:
        return ""
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _join(call: _Call, part: _Call) -> None:
    call.index = part.index if call.index is None else call.index
    call.id = call.id or part.id
    call.name = call.name or part.name
    call.arguments += part.arguments
