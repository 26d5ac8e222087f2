"""Finding JSON in a model's output."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.llm.json_in_text import AnswerStart, WantedAnswer, find_documents

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(
    document=st.dictionaries(st.text(), JSON, min_size=1), ascii_only=st.booleans(), indent=st.sampled_from([None, 2])
)
def test_every_json_object_is_found_as_it_is(document: dict[str, Any], ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    for wrapped in (text, f"```json\n{text}\n```", f"Here it is:\n{text}\nEnjoy!", f"<think>no</think>{text}"):
        assert find_documents(wrapped).documents == (document,)


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ('{"a": [1, 2,],}', [{"a": [1, 2]}]),
        ('{"a": "x\ny\t"}', [{"a": "x\ny\t"}]),
        ("{“a”: “it is “felt” daily”, “b”: [“x”]}", [{"a": "it is “felt” daily", "b": ["x"]}]),
        ("{'a': 'it\\'s', b: True, 'c': None}", [{"a": "it's", "b": True, "c": None}]),
        ('{"a": "an "unescaped" quote"}', [{"a": 'an "unescaped" quote'}]),
        ('{"a": "a \\d in a path"}', [{"a": "a \\d in a path"}]),
        ('{"a": 1, // why\n "b": /* no */ 2}', [{"a": 1, "b": 2}]),
        ('{"a": 1} {"a": 2}', [{"a": 1}, {"a": 2}]),
        ('[{"a": 1}, {"a": 2}]', [[{"a": 1}, {"a": 2}]]),
        ('"{\\"a\\": 1}"', [{"a": 1}]),
        ('{"a": "\\ud83c and \\ud83c\\udf0d"}', [{"a": "\ufffd and 🌍"}]),
        ("see [1] and {this}", []),
        ("", []),
    ],
)
def test_the_usual_slips_of_models_are_read(text: str, documents: list[Any]) -> None:
    assert list(find_documents(text).documents) == documents


@pytest.mark.parametrize(
    "text",
    [
        '<think>maybe {"a": 1} or {"b": [1, 2} "odd\n</think>\n{"a": 2}',
        '<think>maybe {"a": 1}\n</think><think>{"a": 3}</think>{"a": 2}',
        'maybe {"a": 1}, its opening tag is in the prompt</think>{"a": 2}',
        '<THINKING>{"a": 1}</THINKING>```json\n{"a": 2}```',
        'Well. <reasoning>{"a": 1}</reasoning> {"a": 2}',
        '[THINK]{"a": 1}[/THINK]{"a": 2}',
        '◁think▷{"a": 1}◁/think▷{"a": 2}',
        '<seed:think>{"a": 1}</seed:think>{"a": 2}',
    ],
)
def test_reasoning_is_no_output(text: str) -> None:
    assert find_documents(text).documents == ({"a": 2},)


def test_reasoning_that_does_not_end_hides_everything() -> None:
    assert find_documents('<think>{"a": 1}').documents == ()


def test_a_tag_inside_a_text_is_a_part_of_the_text() -> None:
    assert find_documents('{"a": "the </think> tag"}').documents == ({"a": "the </think> tag"},)


@pytest.mark.parametrize("text", ['{"a": {"b": ', '{"a": "b', '{"a', '{"a": 1, ', '```json\n{"a": [1, {"c": 2}'])
def test_a_document_without_its_end_is_cut(text: str) -> None:
    assert find_documents(text).cut
    assert not find_documents('{"a": 1}').cut
    assert not find_documents("no document {at all}").cut


@pytest.mark.parametrize("unit", ['{"', '{"a":', "{“", "[{", '{"a": /*', '{"a" ', "<think>", "\\"])
def test_no_text_takes_long(unit: str) -> None:
    began = time.process_time()
    find_documents(unit * (30_000 // len(unit)))
    assert time.process_time() - began < 5


def test_an_answer_has_all_of_its_keys() -> None:
    wanted = WantedAnswer(["a", "b"])
    assert wanted.fits('```\n{"a": 1, "b": 2, "c": 3}\n```')
    assert not wanted.fits('{"a": 1} {"b": 2}')


@pytest.mark.parametrize(
    "before",
    [
        "",
        " \n\ufeff",
        "```json\n",
        "```\n",
        "```json",
        "<think>{}\"'[</think>",
        "<think>\n</think>\n\n```json\n",
        "Let me think. </think>\n",
        "<think>a</think><reasoning>b</reasoning>",
        "[THINK]a[/THINK]",
        "◁think▷a◁/think▷ ",
    ],
)
@given(cuts=st.lists(st.integers(0, 60), max_size=8))
def test_the_start_of_an_answer_does_not_depend_on_how_it_is_cut(before: str, cuts: list[int]) -> None:
    text = before + '{"a": 1}'
    bounds = [0, *sorted(cut for cut in cuts if cut <= len(text)), len(text)]
    start = AnswerStart()
    for begin, end in itertools.pairwise(bounds):
        found = start.find(text[begin:end])
        if found is not None:
            assert begin + found == len(before)
            return
    pytest.fail("the answer was not found")


@pytest.mark.parametrize("text", ["Here it is: {", "<think>{", '["{"]', "<b>{", "`{`", ""])
def test_behind_sentences_the_start_is_not_known(text: str) -> None:
    assert AnswerStart().find(text) is None
