"""Reading the elements of an output while the model writes it."""

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
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
elements = st.dictionaries(st.text(max_size=6), values, max_size=2)
names = st.text(max_size=LONGEST_KEY // 12)
documents = st.dictionaries(names, st.lists(elements | values, max_size=3) | values, max_size=3)
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
    positions = [0, *sorted({cut % (len(text) + 1) for cut in cuts}), len(text)]
    return [text[begin:end] for begin, end in itertools.pairwise(positions)]


def scanned(scanner: ElementScanner, pieces: list[str], begun: str = "") -> tuple[list[tuple[str, str]], str]:
    """Return the complete elements and the text of the incomplete one; `begun` is the first element's earlier text."""
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
def test_the_elements_do_not_depend_on_how_the_document_is_split(
    document: dict[str, Any], layout: dict[str, Any], cuts: list[int]
) -> None:
    found, rest = scanned(ElementScanner(), pieces_of(json.dumps(document, **layout), cuts))
    assert read(found) == elements_of(document)
    assert rest == ""


@given(document=documents, layout=layouts, cut=st.integers(0, 10_000))
def test_another_scanner_continues_from_the_state_at_any_position(
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
def test_the_state_after_a_part_is_the_state_at_its_end(document: dict[str, Any], cuts: list[int]) -> None:
    scanner = ElementScanner()
    for piece in pieces_of(json.dumps(document), cuts):
        before = scanner.state
        for part in scanner.scan(piece):
            other = ElementScanner(before)
            list(other.scan(piece[: part.end]))
            assert piece[: part.end].endswith(part.text)
            assert scanner.state == other.state


def test_the_scanner_returns_the_parts_of_an_incomplete_element() -> None:
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
def test_text_outside_elements_is_ignored(text: str) -> None:
    found, _ = scanned(ElementScanner(), [text])
    assert read(found) == [("g1", {"a": 1})]


def test_a_line_break_inside_a_string_becomes_a_space() -> None:
    found, _ = scanned(ElementScanner(), ['{"g1": [{"a": "one\ntwo"}]}'])
    assert read(found) == [("g1", {"a": "one two"})]


@pytest.mark.parametrize(("name", "key"), [("\\u0067\\u0031", "g1"), ("\\x", "\\x"), ("n" * 300, "n" * LONGEST_KEY)])
def test_the_name_of_a_list_is_decoded_and_limited_in_length(name: str, key: str) -> None:
    ((found, _),), _ = scanned(ElementScanner(), [f'{{"{name}": [{{}}]}}'])
    assert found == key
