"""Deciding which tools the scripted model calls next."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from local.model import application_answers
from local.model.behaviour import Behaviour
from local.model.calls import MadeCall, PlannedCall, Reply
from local.model.offered_tools import OfferedTool
from local.model.output import Output
from local.model.prompt import Prompt
from local.model.tool_plan import reply_with_calls, report

BY = {"type": "object", "properties": {"by": {"type": "integer", "minimum": 1, "maximum": 1}}, "required": ["by"]}
TOOLS = (OfferedTool("add", "Add.", BY), OfferedTool("read", "Read.", {"type": "object"}))
OK: dict[str, Any] = {"ok": True, "summary": "done"}
FROZEN: dict[str, Any] = {
    "ok": False,
    "summary": "it is frozen",
    "error": {"code": "FROZEN", "message": "it is frozen", "hint": "read it instead"},
}
PLAN = '[[tools: add {"by": 1}; read; add {"by": 2}]]'
ADD_1, READ, ADD_2 = PlannedCall("add", '{"by": 1}'), PlannedCall("read"), PlannedCall("add", '{"by": 2}')


class Conversation:
    """A request that the model has answered with these calls, which an application has answered with these results."""

    def __init__(self, request: str, **settings: Any) -> None:
        self.messages: list[dict[str, Any]] = [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "before"},
            {"role": "assistant", "content": "yes"},
            {"role": "user", "content": request},
        ]
        self.settings = settings

    @property
    def prompt(self) -> Prompt:
        return Prompt("m", self.messages, {}, None, **{"tools": TOOLS, **self.settings})

    def next(self, **behaviour: Any) -> Reply | None:
        return reply_with_calls(self.prompt, Behaviour(**behaviour))

    def calls(self, **behaviour: Any) -> list[PlannedCall]:
        reply = self.next(**behaviour)
        return list(reply.calls) if reply else []

    def answer(self, *calls: PlannedCall, result: dict[str, Any] = OK) -> None:
        """Add a turn with these calls, sent back as the adapters send them."""
        made: list[dict[str, str]] = []
        for call in calls:
            try:
                arguments = json.dumps(json.loads(call.arguments))
            except ValueError:
                arguments = json.dumps({"unparsable": call.arguments})
            made.append({"id": f"c{len(self.messages)}-{len(made)}", "name": call.name, "arguments": arguments})
        self.messages.append({"role": "assistant", "content": "", "tool_calls": made})
        self.messages += [{"role": "tool", "tool_call_id": call["id"], "content": json.dumps(result)} for call in made]


def run(conversation: Conversation, most: int = 8, **behaviour: Any) -> list[list[PlannedCall]]:
    """The turns until the model makes no more calls."""
    turns: list[list[PlannedCall]] = []
    while len(turns) < most and (calls := conversation.calls(**behaviour)):
        turns.append(calls)
        conversation.answer(*calls)
    return turns


def test_the_calls_of_the_directive_are_made_one_a_turn() -> None:
    assert run(Conversation(PLAN)) == [[ADD_1], [READ], [ADD_2]]


@pytest.mark.parametrize(
    ("parallel", "turns"), [(2, [[ADD_1, READ], [ADD_2]]), (3, [[ADD_1, READ, ADD_2]]), (9, [[ADD_1, READ, ADD_2]])]
)
def test_several_calls_are_made_at_once_on_request(parallel: int, turns: list[list[PlannedCall]]) -> None:
    assert run(Conversation(PLAN), parallel=parallel) == turns


def test_the_same_turn_is_planned_again_for_the_same_conversation() -> None:
    conversation = Conversation(PLAN)
    conversation.answer(ADD_1)
    assert conversation.calls() == conversation.calls() == [READ]


def test_calls_of_an_earlier_request_do_not_count() -> None:
    conversation = Conversation(PLAN)
    conversation.answer(ADD_1)
    conversation.messages += [
        {"role": "assistant", "content": "Added."},
        {"role": "user", "content": '[[tools: add {"by": 1}]]'},
    ]
    assert run(conversation) == [[ADD_1]]


def test_a_users_message_behind_results_is_a_remark_on_the_same_request() -> None:
    conversation = Conversation(PLAN)
    conversation.answer(ADD_1)
    conversation.messages.append({"role": "user", "content": "Images in the result of tool call c:"})
    assert conversation.calls() == [READ]
    assert conversation.prompt.request == f"{PLAN}\nImages in the result of tool call c:"


@pytest.mark.parametrize(
    ("settings", "behaviour"), [({"tools": ()}, {}), ({"tool_choice": "none"}, {}), ({}, {"no_call": True})]
)
def test_no_call_is_made_where_none_may_be(settings: dict[str, Any], behaviour: dict[str, Any]) -> None:
    assert Conversation(PLAN, **settings).next(**behaviour) is None


def test_without_a_plan_no_call_is_made() -> None:
    assert Conversation("Please add.").next() is None


def test_a_choice_that_requires_a_call_gets_one_that_fits_its_schema() -> None:
    assert Conversation("Please add.", tool_choice="required").calls() == [ADD_1]


def test_a_required_call_of_a_schema_that_is_not_supported_has_no_arguments() -> None:
    odd = OfferedTool("odd", "", {"type": "object", "required": ["x"], "properties": {"x": {"not": {}}}})
    assert Conversation("Please.", tools=(odd,), tool_choice="required").calls() == [PlannedCall("odd")]


def test_unreadable_arguments_are_made_on_request_and_repaired_once() -> None:
    broken = PlannedCall("add", '{"by": 1')
    conversation = Conversation('[[tools: add {"by": 1}]]')
    assert conversation.calls(bad_arguments=True) == [broken]
    conversation.answer(broken, result={"ok": False, "summary": "not JSON"})
    assert conversation.calls() == [ADD_1]
    conversation.answer(broken)
    assert conversation.next(bad_arguments=True) is None, "twice is enough"


def test_an_unknown_tool_is_called_on_request() -> None:
    assert run(Conversation('[[tools: add {"by": 1}; read]]'), unknown_tool=True) == [
        *[[PlannedCall("no_such_tool", '{"by": 1}')]] * 2,
        *[[PlannedCall("no_such_tool", "{}")]] * 2,
    ]


@pytest.mark.parametrize("more", [{}, {"bad_arguments": True}, {"parallel": 2}])
@pytest.mark.parametrize("request_text", [PLAN, "Please add."])
def test_the_same_calls_are_made_for_ever_on_request(request_text: str, more: dict[str, Any]) -> None:
    turns = run(Conversation(request_text), most=5, repeat_forever=True, **more)
    assert turns == [turns[0]] * 5


@pytest.mark.parametrize(
    ("behaviour", "calls"),
    [
        ({"bad_arguments": True}, [PlannedCall("add", '{"by": 1')]),
        ({"unknown_tool": True}, [PlannedCall("no_such_tool", '{"by": 1}')]),
        ({"parallel": 3}, [ADD_1, PlannedCall("read", "{}"), ADD_1]),
    ],
)
def test_a_misuse_without_a_plan_takes_the_offered_tools_once(
    behaviour: dict[str, Any], calls: list[PlannedCall]
) -> None:
    assert run(Conversation("Please add."), **behaviour) == [calls]


def test_the_last_text_quotes_results_and_says_what_is_missing() -> None:
    conversation = Conversation(PLAN)
    conversation.answer(ADD_1, result={"ok": True, "summary": "added 1", "data": {"total": 1}})
    conversation.answer(READ, result=FROZEN)
    assert report(conversation.prompt) == (
        "The scripted model called 2 tools:\n"
        "- add: added 1\n"
        "- read failed: it is frozen (hint: read it instead)\n"
        "Not done: add."
    )


def test_a_result_of_another_shape_is_quoted_from_its_beginning() -> None:
    assert str(MadeCall(READ, "x" * 300)) == f"read: {'x' * 200}"
    assert str(MadeCall(READ, "[1, 2]")) == "read: [1, 2]"
    assert str(MadeCall(READ, '{"rows": 3}')) == 'read: {"rows": 3}'


# --- applications -----------------------------------------------------------------------------------------------------


@pytest.fixture
def applications(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """One application's module, which tests complete."""
    module = SimpleNamespace(answer=lambda _: None, correct=lambda _: None)
    monkeypatch.setattr(application_answers, "_modules", lambda: (SimpleNamespace(answer=lambda _: None), module))
    return module


def counting(prompt: Prompt) -> Any:
    if not prompt.turns:
        return Reply("Let me read.", (READ,))
    if len(prompt.turns) == 1 and prompt.turns[0][0].ok:
        return Reply(calls=(ADD_2,))
    return f"It says: {prompt.turns[-1][0].result['summary']}."


def test_an_application_may_plan_from_the_results_so_far(applications: SimpleNamespace) -> None:
    applications.answer = counting
    conversation = Conversation("Count.")
    assert conversation.next() == Reply("Let me read.", (READ,))
    assert run(conversation) == [[READ], [ADD_2]]
    output = Output.of(conversation.prompt, Behaviour())
    assert "".join(token.text for token in output.tokens) == "It says: done."
    assert (output.calls, output.finish_reason) == ((), "stop")


def test_an_applications_calls_are_repeated_to_make_several(applications: SimpleNamespace) -> None:
    applications.answer = counting
    assert Conversation("Count.").calls(parallel=3) == [READ] * 3


def test_an_application_may_not_call_where_no_call_may_be_made(applications: SimpleNamespace) -> None:
    applications.answer = counting
    output = Output.of(Conversation("Count.", tool_choice="none").prompt, Behaviour())
    assert "".join(token.text for token in output.tokens) == "Let me read."
    assert output.calls == ()


def test_the_directive_comes_before_the_applications_plan(applications: SimpleNamespace) -> None:
    applications.answer = counting
    assert run(Conversation('[[tools: add {"by": 1}]]')) == [[ADD_1]]


def test_a_hint_is_followed_once_where_an_application_says_how(applications: SimpleNamespace) -> None:
    applications.correct = lambda failed: READ if failed.error.get("code") == "FROZEN" else None
    conversation = Conversation('[[tools: add {"by": 1}; add {"by": 2}]]')
    conversation.answer(*conversation.calls(), result=FROZEN)
    assert conversation.calls() == [READ]
    conversation.answer(READ, result=FROZEN)
    assert conversation.calls() == [ADD_2], "a correction is not corrected"
    conversation.answer(ADD_2, result=FROZEN)
    assert conversation.next() is None, "the hint was followed before"


def test_a_hint_that_no_application_knows_is_explained(applications: SimpleNamespace) -> None:
    conversation = Conversation('[[tools: add {"by": 1}]]')
    conversation.answer(*conversation.calls(), result=FROZEN)
    assert conversation.next() is None
    assert "hint: read it instead" in report(conversation.prompt)
