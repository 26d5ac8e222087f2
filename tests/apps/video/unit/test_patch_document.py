"""JSON Patch: the public cases of RFC 6902, and what holds for any documents."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.apps.video.tools.patch_document import PatchOperation, PatchProblem, patched

FOLDER = Path(__file__).parents[1] / "json_patch_tests"
CASES = [
    case
    for name in ("spec_tests", "tests")
    for case in json.loads((FOLDER / f"{name}.json").read_text())
    if "patch" in case and not case.get("disabled")
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


def operations(patch: list[Any]) -> list[PatchOperation]:
    return [PatchOperation.model_validate(each, by_alias=True, by_name=False) for each in patch]


def text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def test_there_are_the_public_cases() -> None:
    assert len(CASES) == 91


@pytest.mark.parametrize("case", CASES, ids=[f"{at}-{case.get('comment', '')}"[:60] for at, case in enumerate(CASES)])
def test_a_public_case_of_rfc_6902_passes(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises((PatchProblem, ValidationError)):
            patched(case["doc"], operations(case["patch"]))
    else:
        found = patched(case["doc"], operations(case["patch"]))
        assert text(found) == text(case.get("expected", found))


@given(JSON, JSON)
def test_the_difference_of_two_documents_leads_from_one_to_the_other(one: Any, other: Any) -> None:
    patch = jsonpatch.make_patch(one, other).patch
    before = copy.deepcopy(one)
    assert text(patched(one, operations(patch))) == text(other)
    assert text(one) == text(before)


@given(JSON, JSON)
def test_a_patch_that_fails_changes_nothing(one: Any, other: Any) -> None:
    before = copy.deepcopy(one)
    failing = [*jsonpatch.make_patch(one, other).patch, {"op": "remove", "path": "/not/there/at/all"}]
    with pytest.raises(PatchProblem) as problem:
        patched(one, operations(failing))
    assert problem.value.index == len(failing) - 1
    assert text(one) == text(before)
