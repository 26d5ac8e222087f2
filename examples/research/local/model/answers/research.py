"""What the scripted model does in a research job: notes on each source; search, read, note two findings, answer."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from local.model.calls import MadeCall, PlannedCall, Reply
from local.model.prompt import Prompt

_NOTES: Final = "research_notes"
"""The name of the response format of the notes on one source."""
_QUESTION: Final = re.compile(r"^Question: (.+)$", re.MULTILINE)
_READ: Final = 2
"""How many passages the model reads."""


def answer(prompt: Prompt) -> Any:
    """Return the next calls, or the answer when they are made; None for a prompt of another application."""
    if prompt.schema_name == _NOTES:
        return {"notes": [_first_sentence(prompt.text.split("\n\n")[2])]}
    question = _QUESTION.search(prompt.text)
    offered = {tool.name for tool in prompt.tools}
    if question is None or "search_library" not in offered:
        return None
    calls = () if prompt.tool_choice == "none" else _next_calls(prompt, question[1], offered)
    if calls:
        return Reply("" if prompt.turns else "I will search the library first.\n\n", calls)
    return _report(prompt)


def _next_calls(prompt: Prompt, question: str, offered: set[str]) -> tuple[PlannedCall, ...]:
    made = [call for turn in prompt.turns for call in turn]
    if not made:
        return (_call("search_library", words=question[:200]),)
    if not _of(made, "read_passage"):
        return tuple(_call("read_passage", passageId=each) for each in _found(made)[:_READ])
    if "add_finding" in offered and not _of(made, "add_finding"):
        return tuple(
            _call("add_finding", claim=_first_sentence(data["text"]), passageId=data["passageId"])
            for data in _data_of(made, "read_passage")
        )
    return ()


def _report(prompt: Prompt) -> str:
    made = [call for turn in prompt.turns for call in turn]
    facts = [f"{_first_sentence(data['text'])} [{data['passageId']}]" for data in _data_of(made, "read_passage")]
    failed = [f"{call.call.name} failed: {call.error.get('message', '')}." for call in made if not call.ok]
    seen = [f"I see the chart: {image}." for image in prompt.images]
    said = facts or ["The library does not answer this question."]
    return "\n\n".join([" ".join(said), *seen, *(["\n".join(failed)] if failed else [])])


def _call(name: str, **arguments: str) -> PlannedCall:
    return PlannedCall(name, json.dumps(arguments, ensure_ascii=False))


def _of(made: list[MadeCall], name: str) -> list[MadeCall]:
    return [each for each in made if each.call.name == name]


def _data_of(made: list[MadeCall], name: str) -> list[dict[str, Any]]:
    return [each.result["data"] for each in _of(made, name) if each.result.get("data")]


def _found(made: list[MadeCall]) -> list[str]:
    return [each["passageId"] for data in _data_of(made, "search_library") for each in data["passages"]]


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".") + "."
