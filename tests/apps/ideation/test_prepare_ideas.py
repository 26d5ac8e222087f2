"""The stage that plans a brainstorming job."""

from __future__ import annotations

from tests.api_user import ApiUser
from tests.apps.ideation.requests import new_job


def test_what_was_planned_is_what_the_result_says_of_each_genre(user: ApiUser) -> None:
    job_id = new_job(user, ideaCount=7, genreProportions=[33.33, 33.33, 33.34])
    shares = user.ended(job_id)["result"]["genres"]
    assert [(share["genrePath"][-1], share["planned"], share["found"]) for share in shares] == [
        ("Mystery", 2, 2),
        ("Sport", 2, 2),
        ("Music", 3, 3),
    ]
