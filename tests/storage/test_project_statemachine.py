"""No order of changes, returns and stale writers that Hypothesis finds loses a scene or changes a revision."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.apps.video.applying import apply_changes
from shared.apps.video.changes import MoveScene, RemoveScene
from shared.apps.video.models import BuiltChange
from shared.apps.video.project import Cause, Project, Revision
from shared.apps.video.project_store import ProjectStore, StaleProject
from shared.apps.video.projects import Projects, next_revision
from shared.apps.video.scene import FORMATS
from shared.errors import SceneChanged
from tests.apps.video.projects_world import a_job_id, put, put_scene
from tests.fakes.clock import NOON
from tests.storage.machines import run_machine
from tests.storage.ports import AwsServer, Ports, adapters, fakes

pytestmark = pytest.mark.no_cover  # as every property test; see tests/conftest.py

WHICH = st.integers(0, 20)
CLIENT = st.integers(0, 2)


class ProjectMachine(RuleBasedStateMachine):
    """One project, and three clients, each of which knows the project as it has read it last."""

    make_ports: ClassVar[Callable[[], Ports]]

    @initialize()
    def begin(self) -> None:
        ports = type(self).make_ports()
        self.store: ProjectStore = ports.projects
        self.projects = Projects(projects=self.store, keys=ports.keys, clock=ports.clock)
        first = self.projects.create(f"owner-{a_job_id()}", "Launch", FORMATS["square"])
        self.known = [first, first, first]
        self.revisions: list[Revision] = []
        self.newest = first
        self.acknowledge(first)

    @rule(client=CLIENT)
    def read(self, client: int) -> None:
        self.known[client] = self.now()

    @rule(client=CLIENT)
    def add(self, client: int) -> None:
        self.write(client, put_scene(a_job_id()))

    @precondition(lambda self: any(each.manifest.scenes for each in self.known))
    @rule(client=CLIENT, which=WHICH, kind=st.sampled_from(["change", "remove", "move"]))
    def alter(self, client: int, which: int, kind: str) -> None:
        scenes = self.known[client].manifest.scenes
        if not scenes:
            return
        entry = scenes[which % len(scenes)]
        change = {
            "change": put(entry.scene_id, base=entry.version, name=f"Scene {which}"),
            "remove": BuiltChange(change=RemoveScene(scene_id=entry.scene_id, base_version=entry.version)),
            "move": BuiltChange(change=MoveScene(scene_id=entry.scene_id, after="first")),
        }[kind]
        self.write(client, change)

    @rule(which=WHICH)
    def revert(self, which: int) -> None:
        number = 1 + which % self.newest.revision
        self.acknowledge(self.projects.revert(self.newest.owner, self.newest.id, number))
        assert self.newest.manifest == self.revisions[number - 1].manifest

    @invariant()
    def the_newest_acknowledged_state_is_read(self) -> None:
        assert self.now() == self.newest

    @invariant()
    def no_revision_and_no_version_ever_changes(self) -> None:
        stored = self.store.revisions(self.newest.id, limit=100)[::-1]
        assert list(stored) == self.revisions
        wanted = {(each.scene_id, each.version): each for r in stored for each in r.manifest.scenes}
        found = self.store.scenes(self.newest.id, list(wanted))
        assert {key: scene.draft.name for key, scene in found.items()} == {key: e.name for key, e in wanted.items()}

    def write(self, client: int, change: BuiltChange) -> None:
        """Write on top of what the client knows; if that is not the newest state, apply the change to the newest."""
        before = self.known[client]
        try:
            self.save(before, change)
        except StaleProject:
            assert before.revision < self.newest.revision
            try:
                self.save(self.now(), change)
            except SceneChanged:
                return
        self.known[client] = self.newest

    def save(self, before: Project, change: BuiltChange) -> None:
        applied = apply_changes(before, [change], at=NOON)
        if not applied.changes:
            return
        write = next_revision(before, applied, Cause(kind="direct"), "", lambda: NOON)
        self.store.save(write)
        self.acknowledge(write.after)

    def acknowledge(self, project: Project) -> None:
        """Remember what was stored; nothing is stored if there was nothing to change."""
        self.newest = project
        if project.revision > len(self.revisions):
            revision = self.store.revision(project.id, project.revision)
            assert revision is not None
            assert revision.manifest == project.manifest
            self.revisions.append(revision)

    def now(self) -> Project:
        stored = self.store.get(self.newest.id)
        assert stored is not None
        return stored


def test_a_project_loses_nothing_on_the_fakes() -> None:
    run_machine(ProjectMachine, make_ports=fakes, examples=60, steps=20)


def test_a_project_loses_nothing_on_dynamodb(server: AwsServer) -> None:
    run_machine(ProjectMachine, make_ports=lambda: adapters(server), examples=5, steps=12)
