"""`make bench-cache`: what a tab keeps, and what the functions' metrics say of their caches."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, cast

import httpx

from tests.api_user import ApiUser
from tests.bench.video_caches import Tab, counted, report

SCENES = [{"sceneId": "scn_1", "code": {}}, {"sceneId": "scn_2", "code": None}]


class Api:
    """An API with one project at revision 3. `requests` are those that it has got."""

    def __init__(self) -> None:
        self.requests: list[str] = []

    def get(self, path: str, *, params: dict[str, str] | None = None, headers: Any = None) -> httpx.Response:
        self.requests.append(path + "".join(f" {value}" for value in (params or {}).values()))
        if headers:
            return httpx.Response(304)
        body = {"success": True, "data": {"scenes": SCENES}, "meta": {"requestId": "r"}}
        return httpx.Response(200, json=body, headers={"ETag": '"rev-3"', "x-request-id": "r"})


class User:
    def __init__(self) -> None:
        self.api = Api()


def test_a_tab_asks_with_its_etag_and_reads_an_old_revision_once() -> None:
    user, shown = User(), Counter[str]()
    tab = Tab(cast("ApiUser", user), "prj", shown)

    for _ in range(2):
        tab.refresh()
        tab.compare(2)

    project, scene = "/projects/prj true", "/projects/prj/scenes/scn_2"
    assert user.api.requests == [project, scene, "/projects/prj true 2", project]
    assert shown == {"server": 4, "not modified (304)": 2, "kept by the browser (immutable)": 2}


def test_hits_and_misses_are_those_of_the_metrics(tmp_path: Path) -> None:
    lines = [
        {"_aws": {}, "kind": "version", "CacheHits": [3.0]},
        {"_aws": {}, "kind": "version", "CacheMisses": [1.0]},
        {"_aws": {}, "kind": "decision", "CacheHits": [1.0]},
        {"_aws": {}, "operation": "get_project", "Requests": [1.0]},
    ]
    text = "\n".join(json.dumps(line, separators=(",", ":")) for line in lines)
    (tmp_path / "get_project.log").write_text(f"START\n{text}\n{text}\nnot JSON\n")

    counts = counted(tmp_path)

    assert counts == {
        "version get_project": Counter(CacheHits=6, CacheMisses=2),
        "decision get_project": Counter(CacheHits=2),
    }
    assert report(Counter({"server": 8, "not modified (304)": 12}), counts) == 18 / 20
