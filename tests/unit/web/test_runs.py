"""The wire models of runs: a lineage has to fit into one response of Lambda."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta

import pytest
from starlette.requests import Request

from shared.runs.run import Artefact, Lineage, Run
from shared.web.runs import RunUrls, lineage_detail
from tests.fakes.clock import NOON

LAMBDAS_LIMIT = 6_291_556
SCOPE = {"type": "http", "scheme": "https", "server": ("api", 443), "path": "/", "headers": [], "query_string": b""}
URLS = RunUrls(Request(SCOPE), "https://s/", collection="/songs")
RUN = Run(id="run_1", owner="ada", kind="song", created_at=NOON, updated_at=NOON)


def version(number: int, characters: int, *, role: str = "song") -> Artefact:
    """Return an artefact that is one second younger than the version before."""
    at = NOON + timedelta(seconds=number)
    return Artefact(run_id=RUN.id, role=role, version=number, content={"text": "x" * characters}, created_at=at)


@pytest.mark.parametrize(
    ("artefacts", "omitted"),
    [
        ([version(1, 1_000_000), version(2, 4_000_000)], []),
        ([version(1, 1_000_000), version(2, 5_000_000)], ["song.v1"]),
        ([version(1, 100), version(2, 4_000_000), version(3, 3_000_000)], ["song.v2"]),
        ([version(1, 7_000_000)], ["song.v1"]),
        ([version(1, 100, role="parameters"), *(version(each, 2_000_000) for each in (1, 2, 3))], ["song.v1"]),
    ],
    ids=["5 MB", "6 MB", "the older of two", "one that never fits", "beside another role"],
)
def test_a_lineage_leaves_out_the_older_contents(artefacts: Sequence[Artefact], omitted: list[str]) -> None:
    shown = lineage_detail(Lineage(RUN, (), artefacts), URLS)

    assert [each.ref for each in shown.artefacts] == [each.ref for each in artefacts]
    assert [each.ref for each in shown.artefacts if each.content_omitted] == omitted
    contents = {each.ref: each.content for each in artefacts}
    assert all(each.content == ({} if each.content_omitted else contents[each.ref]) for each in shown.artefacts)
    assert len(json.dumps({"body": shown.model_dump_json()})) < LAMBDAS_LIMIT
