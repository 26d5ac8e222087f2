"""The stage that plans the number of ideas per genre."""

from __future__ import annotations

from tests.api_user import ApiUser
from tests.apps.ideation.requests import new_job


def test_the_result_has_the_planned_number_of_ideas_for_each_genre(user: ApiUser) -> None:
    job_id = new_job(user, ideaCount=7, genreProportions=[33.33, 33.33, 33.34])
    shares = user.ended(job_id)["result"]["genres"]
    assert [(share["genrePath"][-1], share["planned"], share["found"]) for share in shares] == [
        ("Mystery", 2, 2),
        ("Sport", 2, 2),
        ("Music", 3, 3),
    ]
