"""The Python client's operations on runs, against the local stack."""

from __future__ import annotations

import pytest

from local.api.client import JobsClient, Refused
from shared.apps.ideation.web import RunDetail
from shared.runs.run import TransformStatus
from tests.api_user import AT_ONCE, ApiUser
from tests.apps.ideation.requests import RUN


def test_a_run_is_created_read_listed_and_deleted(user: ApiUser) -> None:
    with JobsClient(user.stack.api_url, user.token) as client:
        runs = client.runs("/ideations", RunDetail)
        run = runs.create({**RUN, "ideaCount": 2, "requirements": f"[[script: {AT_ONCE}]]"})
        for _ in client.follow(run.stream_url):
            pass

        assert runs.get(run.run_id).status is TransformStatus.COMPLETED
        assert runs.active_job(run.run_id).job is None
        assert [each.ref for each in runs.lineage(run.run_id).artefacts] == ["ideas.v1", "parameters.v1"]
        assert [each.run_id for each in runs.list(status="completed").runs] == [run.run_id]
        assert runs.delete(run.run_id).run_id == run.run_id
        with pytest.raises(Refused) as refused:
            runs.get(run.run_id)
        assert refused.value.status == 404
