"""The input of an ideation job: its rules, limits and defaults."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.apps.ideation.models import Arrangement, IdeationInput, sum_tolerance

INPUT: dict[str, Any] = {
    "platform": "mobile game",
    "genrePaths": [["Fiction", "Mystery"], ["Sport"], ["Music"]],
    "genreProportions": [50, 30, 20],
}
ONE_EACH = "must have one entry per genre path; there are "
TOO_LONG = "String should have at most {} characters"


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"platform": " "}, "platform", "String should have at least 1 character"),
        ({"platform": "x" * 101}, "platform", TOO_LONG.format(100)),
        ({"genrePaths": []}, "genrePaths", "List should have at least 1 item after validation, not 0"),
        ({"genrePaths": [["a"]] * 21}, "genrePaths", "List should have at most 20 items after validation, not 21"),
        (
            {"genrePaths": [["a"], [], ["b"]]},
            "genrePaths.1",
            "List should have at least 1 item after validation, not 0",
        ),
        ({"genrePaths": [["a"] * 7]}, "genrePaths.0", "List should have at most 6 items after validation, not 7"),
        ({"genrePaths": [["a"], ["b", " "]]}, "genrePaths.1.1", "String should have at least 1 character"),
        ({"genrePaths": [["x" * 61]]}, "genrePaths.0.0", TOO_LONG.format(60)),
        ({"genrePaths": ["Fiction"]}, "genrePaths.0", "Input should be a valid list"),
        (
            {"genrePaths": [["A", "b"], ["a", "B "], ["A"]]},
            "genrePaths",
            "must contain each path once; `a > B` is repeated",
        ),
        (
            {"genreProportions": [50, 50]},
            "genreProportions",
            ONE_EACH + "3 paths and 2 proportions; `Music` has none",
        ),
        (
            {"genreProportions": [100]},
            "genreProportions",
            ONE_EACH + "3 paths and 1 proportion; `Sport`, `Music` have none",
        ),
        ({"genreProportions": [25] * 4}, "genreProportions", ONE_EACH + "3 paths and 4 proportions"),
        ({"genreProportions": [50, 30, 10]}, "genreProportions", "must sum to 100; 50 + 30 + 10 is 90"),
        (
            {"genreProportions": [33.3, 33.3, 33.38]},
            "genreProportions",
            "must sum to 100; 33.3 + 33.3 + 33.38 is 99.98",
        ),
        ({"genreProportions": [50, 60, -10]}, "genreProportions.2", "Input should be greater than or equal to 0"),
        ({"genreProportions": [101, 0, 0]}, "genreProportions.0", "Input should be less than or equal to 100"),
        ({"genreProportions": ["50", 30, 20]}, "genreProportions.0", "Input should be a valid number"),
        ({"genreProportions": [True, 30, 20]}, "genreProportions.0", "Input should be a valid number"),
        ({"genreProportions": [float("nan"), 30, 20]}, "genreProportions.0", "Input should be a finite number"),
        ({"requirements": "x" * 2001}, "requirements", TOO_LONG.format(2000)),
        ({"requestedAt": "2026-03-01T12:00:00"}, "requestedAt", "Input should have timezone info"),
        ({"ideaCount": 0}, "ideaCount", "Input should be greater than or equal to 1"),
        ({"ideaCount": 51}, "ideaCount", "Input should be less than or equal to 50"),
        ({"ideaCount": True}, "ideaCount", "Input should be a valid integer"),
        ({"arrangement": "sort"}, "arrangement", "Input should be 'none', 'rank' or 'group'"),
        ({"mood": "dark"}, "mood", "Extra inputs are not permitted"),
    ],
)
def test_invalid_input_is_refused_with_the_field_and_the_rule(changes: dict[str, Any], field: str, rule: str) -> None:
    with pytest.raises(ValidationError) as error:
        IdeationInput.model_validate(INPUT | changes)
    (issue,) = error.value.errors()
    assert (".".join(map(str, issue["loc"])), issue["msg"]) == (field, rule)


def test_an_invalid_path_causes_no_issue_of_the_proportions() -> None:
    with pytest.raises(ValidationError) as error:
        IdeationInput.model_validate(INPUT | {"genrePaths": [[" "]]})
    assert [issue["loc"][0] for issue in error.value.errors()] == ["genrePaths"]


@pytest.mark.parametrize("proportions", [[33.33, 33.33, 33.33], [33.34, 33.33, 33.34], [0.1 + 0.2, 99.7, 0]])
def test_the_sum_of_proportions_may_differ_from_100_by_a_hundredth(proportions: list[float]) -> None:
    assert len(IdeationInput.model_validate(INPUT | {"genreProportions": proportions}).genre_proportions) == 3


@pytest.mark.parametrize(
    ("proportions", "tolerance"),
    [
        ([16.67] * 6, 0.03),
        ([16.7] * 6, 0.3),
        ([14.29] * 7, 0.035),
        ([99.99], 0.01),
        ([17] * 6, 2),
        ([17.0] * 6, 2),
        ([33] * 3, 1),
        ([50] * 2, 0.01),
        ([16.7, 16.67, 17], 0.015),
        ([16.666667] * 6, 0.01),
        ([100], 0.01),
        ([], 0.01),
    ],
)
def test_proportions_may_each_be_wrong_by_half_a_unit(proportions: list[float], tolerance: float) -> None:
    assert sum_tolerance(proportions) == pytest.approx(tolerance, abs=1e-9)


SIXTHS = {"genrePaths": [[f"genre {number}"] for number in range(6)]}


@pytest.mark.parametrize("share", [16.67, 16.7, 16.667, 17])
def test_rounded_sixths_are_accepted(share: float) -> None:
    wanted = IdeationInput.model_validate(INPUT | SIXTHS | {"genreProportions": [share] * 6})
    assert wanted.genre_proportions == [share] * 6


@pytest.mark.parametrize("share", [16.66, 16.6, 18])
def test_shares_that_no_rounding_makes_of_sixths_are_refused_with_their_sum(share: float) -> None:
    with pytest.raises(ValidationError, match=rf"must sum to 100; {share} \+ .* is {share * 6:.9g}"):
        IdeationInput.model_validate(INPUT | SIXTHS | {"genreProportions": [share] * 6})


SHARE_SUMS = json.loads((Path(__file__).parents[3] / "javascript/share_sums.json").read_text())
"""Shares and whether they are accepted; the console's test reads the same file."""


@pytest.mark.parametrize("case", SHARE_SUMS, ids=lambda case: " + ".join(map(str, case["shares"])))
def test_the_api_accepts_the_shares_that_the_console_accepts(case: dict[str, Any]) -> None:
    shares = case["shares"]
    given = INPUT | {"genrePaths": [[f"genre {number}"] for number in range(len(shares))], "genreProportions": shares}
    with contextlib.nullcontext() if case["accepted"] else pytest.raises(ValidationError, match="must sum to 100"):
        IdeationInput.model_validate(given)


def test_proportions_are_rounded_to_six_decimals() -> None:
    wanted = IdeationInput.model_validate(INPUT | {"genreProportions": [1e-200, 200 / 3, 100 / 3]})
    assert wanted.genre_proportions == [0, 66.666667, 33.333333]


def test_input_at_its_limits_is_accepted_and_names_are_stripped() -> None:
    paths = [[f" {number}{'x' * 58} ", *"bcdef"] for number in range(10, 30)]
    limits = {
        "platform": "x" * 100,
        "genrePaths": paths,
        "genreProportions": [5] * 20,
        "requirements": "x" * 2000,
        "ideaCount": 50,
        "requestedAt": "2026-03-01T12:00:00+02:00",
    }
    wanted = IdeationInput.model_validate(limits)
    assert wanted.genre_paths[0][0] == f"10{'x' * 58}"
    assert wanted.model_dump(mode="json")["requestedAt"] == "2026-03-01T12:00:00+02:00"


def test_the_default_is_ten_ideas_without_an_arrangement() -> None:
    wanted = IdeationInput.model_validate(INPUT)
    assert (wanted.idea_count, wanted.arrangement) == (10, Arrangement.NONE)


def test_input_is_unchanged_after_it_was_written_and_read() -> None:
    wanted = IdeationInput.model_validate(INPUT | {"requestedAt": "2026-03-01T12:00:00Z"})
    assert IdeationInput.model_validate(wanted.model_dump(mode="json", exclude_none=True)) == wanted
