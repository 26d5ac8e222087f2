"""POST /jobs/{jobId}/stream-tickets returns a ticket to the job's owner; test_stream_job uses tickets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from tests.api_user import ApiUser, data_of, refusal


def test_the_response_has_the_ticket_its_expiry_and_a_url_with_it(user: ApiUser) -> None:
    job_id = user.new_job()
    expires_at = user.ended(job_id)["expiresAt"]

    response = user.api.post(f"/jobs/{job_id}/stream-tickets")

    ticket = data_of(response, 201)
    assert response.json()["meta"]["entity"] == "stream_ticket"
    assert ticket["streamUrl"] == f"{user.stack.stream_url}/jobs/{job_id}/stream?ticket={ticket['ticket']}"
    assert datetime.fromisoformat(ticket["expiresAt"]) == datetime.fromisoformat(expires_at)


def test_a_user_gets_no_ticket_for_another_users_job(new_user: Callable[[], ApiUser]) -> None:
    job_id = new_user().new_job()

    refusal(new_user().api.post(f"/jobs/{job_id}/stream-tickets"), 403, "FORBIDDEN")


@pytest.mark.parametrize("job_id", ["job_01jd8x2v5n7k3q9w4t6y8z0abc", "nonsense", "%00"])
def test_a_ticket_for_an_unknown_job_is_refused(user: ApiUser, job_id: str) -> None:
    refusal(user.api.post(f"/jobs/{job_id}/stream-tickets"), 404, "NOT_FOUND")
