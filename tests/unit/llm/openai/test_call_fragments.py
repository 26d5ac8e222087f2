"""Joining fragments of tool calls as real servers send them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.llm.model import ToolCall
from shared.llm.openai.call_fragments import CallFragments


def fragment(
    arguments: Any = None, *, index: int | None = None, identity: str | None = None, name: str | None = None
) -> dict[str, Any]:
    """A fragment without the fields that are None."""
    function = {key: value for key, value in {"name": name, "arguments": arguments}.items() if value is not None}
    beside = {key: value for key, value in {"index": index, "id": identity}.items() if value is not None}
    return {**beside, "type": "function", "function": function}


def joined(*fragments: dict[str, Any]) -> tuple[ToolCall, ...]:
    calls = CallFragments()
    for each in fragments:
        calls.add(each)
    return calls.calls


def without_ids(calls: tuple[ToolCall, ...]) -> list[tuple[str, str]]:
    return [(call.name, call.arguments) for call in calls]


def test_parallel_calls_are_told_apart_by_their_index() -> None:
    assert joined(
        fragment("", index=0, identity="a", name="add"),
        fragment('{"by"', index=0),
        fragment("", index=1, identity="b", name="read"),
        fragment(": 3}", index=0),
        fragment("{}", index=1),
    ) == (ToolCall("a", "add", '{"by": 3}'), ToolCall("b", "read", "{}"))


def test_calls_that_are_all_numbered_0_are_told_apart_by_their_ids() -> None:
    # As Ollama does: https://github.com/ollama/ollama/issues/15457
    assert joined(
        fragment('{"by": 1}', index=0, identity="a", name="add"),
        fragment('{"by": 2}', index=0, identity="b", name="add"),
        fragment('{"by": 2}', index=0, identity="c", name="add"),
    ) == (ToolCall("a", "add", '{"by": 1}'), ToolCall("b", "add", '{"by": 2}'), ToolCall("c", "add", '{"by": 2}'))


def test_fragments_that_repeat_their_id_find_their_call_again() -> None:
    assert joined(
        fragment('{"by"', index=0, identity="a", name="add"),
        fragment('{"by"', index=0, identity="b", name="add"),
        fragment(": 1}", index=0, identity="a"),
        fragment(": 2}", index=0, identity="b"),
    ) == (ToolCall("a", "add", '{"by": 1}'), ToolCall("b", "add", '{"by": 2}'))


def test_calls_without_an_index_are_told_apart_by_their_ids() -> None:
    # As Gemini's compatible endpoint does: https://github.com/openai/openai-python/pull/3246
    assert joined(
        fragment('{"by": 1', identity="a", name="add"),
        fragment("}"),
        fragment("", identity="b", name="read"),
        fragment("{}", identity="b"),
    ) == (ToolCall("a", "add", '{"by": 1}'), ToolCall("b", "read", "{}"))


def test_a_fragment_without_an_index_continues_the_latest_call() -> None:
    calls = joined(fragment("{", index=0, identity="a", name="add"), fragment("}"), fragment(" ", index=0))
    assert calls == (ToolCall("a", "add", "{} "),)


def test_an_index_that_comes_late_is_the_one_of_the_call_that_had_none() -> None:
    calls = joined(fragment("{", identity="a", name="add"), fragment("}", index=0), fragment("{}", index=1, name="add"))
    assert without_ids(calls) == [("add", "{}"), ("add", "{}")]


def test_arguments_may_come_before_the_name() -> None:
    # As SGLang does: https://github.com/vercel/ai/pull/15879
    calls = joined(fragment('{"by": 1}', identity="a"), fragment(identity="a", name="add"))
    assert calls == (ToolCall("a", "add", '{"by": 1}'),)


@pytest.mark.parametrize("identity", [None, "a"])
def test_a_name_that_is_in_every_fragment_is_one_name(identity: str | None) -> None:
    # As MiniMax does: https://github.com/NousResearch/hermes-agent/issues/8259
    calls = joined(
        fragment('{"by"', index=0, identity="a", name="add"),
        fragment(":", index=0, identity=identity, name="add"),
        fragment(" 3}", index=0, identity=identity, name="add"),
        fragment("", index=0, identity=identity, name="add"),
    )
    assert calls == (ToolCall("a", "add", '{"by": 3}'),)


def test_empty_ids_and_names_are_as_good_as_none() -> None:
    # As DashScope does: https://github.com/anomalyco/opencode/pull/40969
    calls = joined(
        fragment("", index=0, identity="a", name="add"),
        fragment('{"by": ', index=0, identity="", name=""),
        fragment("3}", index=0, identity="", name=""),
    )
    assert calls == (ToolCall("a", "add", '{"by": 3}'),)


@pytest.mark.parametrize("index", [None, 0])
def test_calls_without_ids_get_ids_of_ours_that_differ(index: int | None) -> None:
    calls = joined(
        fragment('{"by": 1}', index=index, identity="", name="add"),
        fragment('{"by": 1}', index=index, identity="", name="add"),
        fragment("", index=index, name="read"),
        fragment("", index=index, name="look"),
    )
    assert without_ids(calls) == [("add", '{"by": 1}'), ("add", '{"by": 1}'), ("read", ""), ("look", "")]
    assert len({call.id for call in calls}) == 4
    assert all(call.id.startswith("call_") for call in calls)
    assert calls[0].id != joined(fragment("{}", name="add"))[0].id, "ids of two turns differ, too"


def test_two_calls_with_the_same_id_get_different_ones() -> None:
    first, second = joined(
        fragment("{}", index=0, identity="add", name="add"), fragment("{}", index=1, identity="add", name="add")
    )
    assert (first.id, first.id == second.id) == ("add", False)


def test_objects_one_after_the_other_in_one_call_are_several_calls() -> None:
    # As GPT-5.4 does: https://github.com/open-webui/open-webui/pull/22235
    calls = joined(
        fragment('{"query": "A"}', index=0, identity="a", name="search"),
        fragment('{"query"', index=0),
        fragment(': "B"}', index=0),
        fragment(' {"query": "C"}', index=0, name="search"),
    )
    assert without_ids(calls) == [
        ("search", '{"query": "A"}'),
        ("search", '{"query": "B"}'),
        ("search", ' {"query": "C"}'),
    ]


def test_arguments_that_are_sent_again_are_one_call() -> None:
    whole = fragment('{"query": "A"}', index=0, identity="a", name="search")
    assert joined(whole, whole, fragment('{"query": "A"}', index=0)) == (ToolCall("a", "search", '{"query": "A"}'),)


def test_an_empty_object_before_the_arguments_is_a_placeholder() -> None:
    calls = joined(fragment("{}", index=0, identity="a", name="add"), fragment('{"by"', index=0), fragment(": 3}"))
    assert calls == (ToolCall("a", "add", '{"by": 3}'),)


@pytest.mark.parametrize("arguments", [{"by": 3, "why": "ü"}, [1], 3])
def test_arguments_that_are_not_text_become_json(arguments: Any) -> None:
    (call,) = joined(fragment(arguments, index=0, identity="a", name="add"))
    assert json.loads(call.arguments) == arguments


@pytest.mark.parametrize("arguments", ['{"by": 3', "", "not JSON", '{"code": "}{"'])
def test_arguments_that_cannot_be_read_are_passed_on(arguments: str) -> None:
    assert joined(fragment(arguments, index=0, identity="a", name="add")) == (ToolCall("a", "add", arguments),)


def test_a_character_cut_in_half_is_whole_again() -> None:
    left, right = "\ud83c", "\udf0d"
    (call,) = joined(fragment('{"a": "' + left, index=0, identity="a", name="add"), fragment(right + '"}', index=0))
    assert call.arguments == '{"a": "🌍"}'
    assert joined(fragment(left, identity="a", name="add"))[0].arguments == "\ufffd"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("{}[]:,ab", max_size=4), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text("{}[]:,ab", max_size=4), JSON, max_size=3)


@given(
    wanted=st.lists(st.tuples(st.sampled_from(["add", "read"]), OBJECTS), min_size=1, max_size=4),
    style=st.sampled_from(["openai", "all 0", "no index", "no index, id in each", "index without id", "name in each"]),
    data=st.data(),
)
def test_calls_are_whole_wherever_their_arguments_are_cut(
    wanted: list[tuple[str, dict[str, Any]]], style: str, data: st.DataObject
) -> None:
    fragments = []
    for number, (name, document) in enumerate(wanted):
        text = json.dumps(document, ensure_ascii=False)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
        index = {"all 0": 0, "no index": None, "no index, id in each": None}.get(style, number)
        for position, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(text)], strict=True)):
            named = position == 0 or style == "name in each"
            identified = style != "index without id" and (position == 0 or style == "no index, id in each")
            fragments.append(
                fragment(
                    text[start:end],
                    index=index,
                    identity=f"id-{number}" if identified else None,
                    name=name if named else None,
                )
            )

    calls = joined(*fragments)

    assert [(call.name, json.loads(call.arguments)) for call in calls] == wanted
    assert len({call.id for call in calls}) == len(wanted)


@pytest.mark.parametrize("odd", [{"function": 3}, {"function": ["x"]}])
def test_a_fragment_of_another_shape_is_refused(odd: dict[str, Any]) -> None:
    with pytest.raises((TypeError, AttributeError)):
        joined(odd)
