"""Reading an answer's elements while it is being written."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apps.ideation.scanner import LONGEST_KEY, ElementScanner

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
elements = st.dictionaries(st.text(max_size=6), values, max_size=4)
documents = st.dictionaries(st.text(max_size=LONGEST_KEY // 12), st.lists(elements | values, max_size=4) | values)
layouts = st.fixed_dictionaries({"indent": st.sampled_from([None, 0, 2, "\t"]), "ensure_ascii": st.booleans()})


def elements_of(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (key, item)
        for key, value in document.items()
        if isinstance(value, list)
        for item in value
        if isinstance(item, dict)
    ]


def pieces_of(text: str, cuts: list[int]) -> list[str]:
    places = [0, *sorted({cut % (len(text) + 1) for cut in cuts}), len(text)]
    return [text[begin:end] for begin, end in itertools.pairwise(places)]


def scanned(scanner: ElementScanner, pieces: list[str], begun: str = "") -> tuple[list[tuple[str, str]], str]:
    """The finished elements, and the text of the one under way; `begun` is what there is of the first."""
    found = []
    for piece in pieces:
        for part in scanner.scan(piece):
            begun += part.text
            if part.ends:
                found.append((part.key, begun))
                begun = ""
    return found, begun


def read(found: list[tuple[str, str]]) -> list[tuple[str, dict[str, Any]]]:
    return [(key, json.loads(text)) for key, text in found]


@given(document=documents, layout=layouts, cuts=st.lists(st.integers(0, 10_000), max_size=12))
def test_in_whatever_pieces_it_comes_the_elements_are_those_of_the_document(
    document: dict[str, Any], layout: dict[str, Any], cuts: list[int]
) -> None:
    found, rest = scanned(ElementScanner(), pieces_of(json.dumps(document, **layout), cuts))
    assert read(found) == elements_of(document)
    assert rest == ""


@given(document=documents, layout=layouts, cut=st.integers(0, 10_000))
def test_another_scanner_goes_on_from_the_state_at_any_place(
    document: dict[str, Any], layout: dict[str, Any], cut: int
) -> None:
    before, after = (*pieces_of(json.dumps(document, **layout), [cut]), "")[:2]
    first = ElementScanner()
    early, begun = scanned(first, [before])
    late, rest = scanned(ElementScanner(first.state), [after], begun)
    assert read(early + late) == elements_of(document)
    assert rest == ""
    assert len(first.state) < LONGEST_KEY * 2 + 100


@given(document=documents, layout=layouts)
def test_an_element_is_one_line(document: dict[str, Any], layout: dict[str, Any]) -> None:
    found, _ = scanned(ElementScanner(), [json.dumps(document, **layout)])
    assert not any(text.count("\n") or text.count("\r") for _, text in found)


@given(document=documents, cuts=st.lists(st.integers(0, 10_000), max_size=12))
def test_a_part_ends_where_it_says_and_the_state_is_the_one_there(document: dict[str, Any], cuts: list[int]) -> None:
    scanner = ElementScanner()
    for piece in pieces_of(json.dumps(document), cuts):
        before = scanner.state
        for part in scanner.scan(piece):
            other = ElementScanner(before)
            list(other.scan(piece[: part.end]))
            assert piece[: part.end].endswith(part.text)
            assert scanner.state == other.state


def test_an_element_is_given_as_it_grows() -> None:
    scanner = ElementScanner()
    parts = [list(scanner.scan(piece)) for piece in ('{"g1": [', '{"a"', ": 1", '}, {"b": 2}, ', "{", "")]
    assert [[(part.text, part.ends, part.end) for part in each] for each in parts] == [
        [],
        [('{"a"', False, 4)],
        [(": 1", False, 3)],
        [("}", True, 1), ('{"b": 2}', True, 11)],
        [("{", False, 1)],
        [],
    ]


@pytest.mark.parametrize(
    "text",
    [
        'Here are "your" ideas:\n```json\n{"g1": [{"a": 1}]}\n```\nAnything else?',
        '[{"g1": [{"a": 1}]}]',
        '{"thoughts": "a [ and a {", "g1": [{"a": 1}]}',
        '{"g1": ["a {", 7, null, [{"b": 2}], {"a": 1}], "g2": {"ideas": [{"b": 2}]}}',
        '{"note": {"x": [{"b": 2}]}}{"g1": [{"a": 1}]}',
        '{"g1": [{"a": 1}]]}}]',
        '{"g1": [{"a": 1}, {"b": ',
    ],
)
def test_what_is_not_an_element_is_passed_over(text: str) -> None:
    found, _ = scanned(ElementScanner(), [text])
    assert read(found) == [("g1", {"a": 1})]


def test_a_line_break_inside_a_string_which_json_does_not_allow_is_a_space() -> None:
    found, _ = scanned(ElementScanner(), ['{"g1": [{"a": "one\ntwo"}]}'])
    assert read(found) == [("g1", {"a": "one two"})]


@pytest.mark.parametrize(("name", "key"), [("\\u0067\\u0031", "g1"), ("\\x", "\\x"), ("n" * 300, "n" * LONGEST_KEY)])
def test_the_name_of_a_list_is_read_as_json_and_kept_to_a_length(name: str, key: str) -> None:
    ((found, _),), _ = scanned(ElementScanner(), [f'{{"{name}": [{{}}]}}'])
    assert found == key
