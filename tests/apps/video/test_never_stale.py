"""No order of reads with ETags and of writes that Hypothesis finds shows a client an older state of a project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from local.stack import LocalStack
from shared.apps.video.changes import MoveScene, RemoveScene
from shared.apps.video.models import BuiltChange
from tests.api_user import ApiUser, data_of, refusal
from tests.apps.video.projects_world import a_job_id, put, put_scene
from tests.apps.video.requests import get_project, give_scenes, new_project
from tests.storage.machines import run_machine

pytestmark = pytest.mark.no_cover  # as every property test; see tests/conftest.py

WHICH = st.integers(0, 20)
CLIENT = st.integers(0, 2)


@dataclass(frozen=True, slots=True)
class Kept:
    """A response that a client keeps."""

    etag: str
    data: dict[str, Any]
    forever: bool


class Tab:
    """A client that keeps every response, as a browser does, and asks with its ETag unless it may keep it for ever."""

    def __init__(self, user: ApiUser) -> None:
        self._api = user.api
        self._kept: dict[str, Kept] = {}

    def get(self, url: str) -> dict[str, Any]:
        """Return what the client shows for the URL."""
        kept = self._kept.get(url)
        if kept is not None and kept.forever:
            return kept.data
        response = self._api.get(url, headers={} if kept is None else {"If-None-Match": kept.etag})
        if kept is not None and response.status_code == 304:
            return kept.data
        self._kept[url] = _kept(response)
        return self._kept[url].data


def _kept(response: httpx.Response) -> Kept:
    forever = "immutable" in response.headers["Cache-Control"]
    return Kept(response.headers["ETag"], data_of(response), forever)


class ProjectMachine(RuleBasedStateMachine):
    """One project, three clients that read it, and writers in two processes: that of the API, and this one."""

    stack: ClassVar[LocalStack]
    user: ClassVar[ApiUser]

    @initialize()
    def begin(self) -> None:
        self.project_id = str(new_project(self.user)["projectId"])
        self.path = f"/projects/{self.project_id}"
        self.tabs = [Tab(self.user) for _ in range(3)]
        self.states: list[dict[str, Any]] = []
        self.versions: dict[tuple[str, int], str] = {}
        self.acknowledge()

    @property
    def newest(self) -> dict[str, Any]:
        return self.states[-1]

    # ---- reads -------------------------------------------------------------------------------------------------------

    @rule(client=CLIENT)
    def read_project(self, client: int) -> None:
        assert self.tabs[client].get(f"{self.path}?code=true") == self.newest

    @rule(client=CLIENT, which=WHICH)
    def read_revision(self, client: int, which: int) -> None:
        number = 1 + which % len(self.states)
        assert self.tabs[client].get(f"{self.path}?code=true&revision={number}") == self.states[number - 1]

    @precondition(lambda self: self.versions)
    @rule(client=CLIENT, which=WHICH)
    def read_scene(self, client: int, which: int) -> None:
        scene_id, _ = self.one_of(self.versions, which)
        url = f"{self.path}/scenes/{scene_id}"
        entry = next((each for each in self.newest["scenes"] if each["sceneId"] == scene_id), None)
        if entry is None:
            refusal(self.user.api.get(url), 404, "NOT_FOUND")
            return
        shown = self.tabs[client].get(url)
        assert (shown["version"], shown["name"]) == (entry["version"], entry["name"])

    @precondition(lambda self: self.versions)
    @rule(client=CLIENT, which=WHICH)
    def read_version(self, client: int, which: int) -> None:
        scene_id, version = self.one_of(self.versions, which)
        shown = self.tabs[client].get(f"{self.path}/scenes/{scene_id}?version={version}")
        assert (shown["version"], shown["name"]) == (version, self.versions[scene_id, version])

    # ---- writes ------------------------------------------------------------------------------------------------------

    @rule(which=WHICH)
    def rename(self, which: int) -> None:
        data_of(self.user.api.patch(self.path, json={"title": f"Title {which}"}))
        self.acknowledge()

    @rule(which=WHICH)
    def add(self, which: int) -> None:
        self.write(put_scene(a_job_id(), name=f"New {which}"))

    @precondition(lambda self: self.newest["scenes"])
    @rule(which=WHICH, kind=st.sampled_from(["change", "remove", "move"]))
    def alter(self, which: int, kind: str) -> None:
        scene_id, base = self.one_of([(each["sceneId"], each["version"]) for each in self.newest["scenes"]], which)
        changes = {
            "change": put(scene_id, base=base, name=f"Scene {which}"),
            "remove": BuiltChange(change=RemoveScene(scene_id=scene_id, base_version=base)),
            "move": BuiltChange(change=MoveScene(scene_id=scene_id, after="first")),
        }
        self.write(changes[kind])

    @rule(which=WHICH, scene=st.booleans())
    def revert(self, which: int, scene: bool) -> None:
        number = 1 + which % len(self.states)
        body: dict[str, Any] = {"revision": number}
        scenes = self.states[number - 1]["scenes"]
        if scene and scenes:
            body["sceneId"] = self.one_of(scenes, which)["sceneId"]
        data_of(self.user.api.post(f"{self.path}/revert", json=body))
        self.acknowledge()

    # ---- the model ---------------------------------------------------------------------------------------------------

    def write(self, change: BuiltChange) -> None:
        give_scenes(self.stack, self.project_id, change)
        self.acknowledge()

    def acknowledge(self) -> None:
        """Remember what was written, as a client without any cache reads it."""
        now = get_project(self.user, self.project_id, code="true")
        if now["revision"] > len(self.states):
            self.states.append(now)
        self.versions |= {(each["sceneId"], each["version"]): each["name"] for each in now["scenes"]}

    @staticmethod
    def one_of(values: Any, which: int) -> Any:
        return list(values)[which % len(values)]


def test_no_client_is_shown_an_older_state_than_the_last_acknowledged_one(stack: LocalStack, user: ApiUser) -> None:
    machine = type("Machine", (ProjectMachine,), {"stack": stack, "user": user})
    # Without shrinking, which would make more projects than a user may have.
    run_machine(machine, examples=5, steps=25, phases=[Phase.explicit, Phase.generate])
