"""GET /ideations/{runId}/lineage: the transforms and artefacts of a run."""

from __future__ import annotations

from tests.api_user import ApiUser, data_of
from tests.apps.ideation.requests import finished_run, new_run


def test_the_lineage_links_the_parameters_to_the_artefacts_of_their_transform(user: ApiUser) -> None:
    run = finished_run(user, arrangement="group")

    lineage = data_of(user.api.get(f"/ideations/{run['runId']}/lineage"))

    (transform,) = lineage["transforms"]
    assert lineage["run"]["runId"] == run["runId"]
    assert (transform["inputs"], transform["outputs"]) == (
        {"parameters": "parameters.v1"},
        {"ideas": "ideas.v1", "groups": "groups.v1"},
    )
    made_by = {artefact["ref"]: artefact["madeBy"] for artefact in lineage["artefacts"]}
    assert made_by == {
        "groups.v1": transform["transformId"],
        "ideas.v1": transform["transformId"],
        "parameters.v1": None,
    }
    contents = {artefact["role"]: artefact["content"] for artefact in lineage["artefacts"]}
    assert contents["ideas"]["ideas"] == run["ideas"]
    assert contents["groups"]["groups"] == run["groups"]


def test_the_artefacts_of_a_failed_job_are_kept_after_its_resumption(user: ApiUser) -> None:
    created = new_run(user, "first_token_ms=0, token_ms=0, error_after=200, times=3", ideaCount=20)
    failed = user.ended(created["jobId"])
    assert failed["status"] == "failed"
    kept = [item["data"] for item in failed["items"]]
    assert kept
    user.api.post(f"/jobs/{created['jobId']}/resume")
    user.ended(created["jobId"])

    lineage = data_of(user.api.get(f"/ideations/{created['runId']}/lineage"))

    ideas = {each["version"]: each["content"]["ideas"] for each in lineage["artefacts"] if each["role"] == "ideas"}
    assert ideas[1] == kept
    assert ideas[2][: len(kept)] == kept
    assert len(ideas[2]) == 20
    assert [transform["outputs"] for transform in lineage["transforms"]] == [{"ideas": "ideas.v2"}]
