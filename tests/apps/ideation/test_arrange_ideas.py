"""The stage that ranks or groups ideas."""

from __future__ import annotations

import pytest

from local.model.control import ModelControl
from tests.api_user import ApiUser
from tests.apps.ideation.requests import new_job


@pytest.mark.parametrize("arrangement", ["rank", "group"])
def test_the_stage_ranks_or_groups_the_ideas_and_keeps_their_text(user: ApiUser, arrangement: str) -> None:
    job = user.ended(new_job(user, arrangement=arrangement))

    result = job["result"]
    ranking, groups = result["ranking"] or [], result["groups"] or []
    assert (bool(ranking), bool(groups)) == (arrangement == "rank", arrangement == "group")
    numbers = [each["number"] for each in ranking] + [number for group in groups for number in group["numbers"]]
    assert sorted(numbers) == list(range(1, 11))
    assert len(job["text"].splitlines()) == 10


def test_a_job_whose_arrangement_stays_invalid_fails_and_keeps_its_ideas(user: ApiUser, model: ModelControl) -> None:
    for message in ("Rank all of these ideas", "every idea has to be named once"):
        model.script(match=message, times=1, text='{"ranking": []}')

    job = user.ended(new_job(user, arrangement="rank"))

    assert (job["status"], job["failure"]["code"]) == ("failed", "INVALID_MODEL_OUTPUT")
    assert "every idea has to be named once" in job["failure"]["message"]
    assert len(job["items"]) == len(job["text"].splitlines()) == 10
