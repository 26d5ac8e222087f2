"""The ProjectStore, in memory and on DynamoDB, stores each change of a project wholly or not at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.apps.video.changes import RemoveScene
from shared.apps.video.ids import message_id, new_project_id, scene_id
from shared.apps.video.models import BuiltChange, Choice
from shared.apps.video.preferences import Fact, Preferences, PreferenceScope, StalePreferences
from shared.apps.video.project_store import MOST_VERSIONS, StaleProject, TooManyProjects
from shared.apps.video.storage.projects import DynamoProjectStore
from shared.jobs.job import JobLinks, JobStatus
from shared.jobs.store import JobGuard, PreparedWrites, SideWriteConflict
from tests.apps.video.projects_world import (
    MILLISECONDS,
    a_build,
    a_job_id,
    a_message,
    a_project,
    first_write,
    put,
    put_component,
    put_scene,
    stored_project,
    write_of,
)
from tests.fakes.clock import NOON
from tests.fakes.core import a_job
from tests.storage.at_once import at_once
from tests.storage.ports import AwsServer, Ports, project_store

PENDING = JobGuard(status_in=frozenset({JobStatus.PENDING}))
JOB = a_job_id()


def owner() -> str:
    """Return an owner that no other test has: projects are counted."""
    return f"owner-{a_job_id()}"


class TestSaving:
    def test_a_project_its_revision_and_its_versions_come_back_unchanged(self, ports: Ports) -> None:
        before = a_project(owner=owner())
        ports.projects.save(first_write(before))
        props: dict[str, Any] = {"size": 1.0, "texts": ["", "ä – 💡"], "deep": {"none": None, "tiny": 5e-324}}
        message = a_message(before, JOB, choice=Choice(tool="addScene", confidence=0.7, reason="new", source="rule"))

        write = write_of(before, put_scene(JOB, props=props), put_component(), messages=(message,))
        ports.projects.save(write)

        assert ports.projects.get(before.id) == write.after
        assert ports.projects.revision(before.id, 2) == write.revision
        assert ports.projects.scenes(before.id, [(scene_id(JOB, 0), 2)]) == {(scene_id(JOB, 0), 2): write.scenes[0]}
        assert ports.projects.components(before.id, [("Counter", 2)]) == {("Counter", 2): write.components[0]}
        assert ports.projects.message(before.id, message.id) == message

    def test_code_that_is_too_large_for_an_item_comes_back_unchanged(self, ports: Ports) -> None:
        before = stored_project(ports.projects, owner=owner())
        large = put_scene(JOB).model_copy(update={"build": a_build(js_code="é" * 300_000)})
        write = write_of(before, large)

        ports.projects.save(write)

        assert list(ports.projects.scenes(before.id, [(scene_id(JOB, 0), 2)]).values()) == list(write.scenes)

    def test_as_many_versions_as_a_change_can_have_fit_into_one_transaction(self, ports: Ports) -> None:
        before = stored_project(ports.projects, owner=owner())
        build = a_build(js_code="x" * 60_000)
        changes = [put_scene(JOB, part).model_copy(update={"build": build}) for part in range(MOST_VERSIONS)]
        write = write_of(before, *changes, messages=(a_message(before, JOB),))

        ports.projects.save(write)

        wanted = [(each.scene_id, each.version) for each in write.scenes]
        assert ports.projects.scenes(before.id, wanted).keys() == set(wanted)

    def test_a_change_of_a_project_that_has_changed_meanwhile_is_refused(self, ports: Ports) -> None:
        before = stored_project(ports.projects, owner=owner())
        ports.projects.save(write_of(before, put_scene(JOB)))

        with pytest.raises(StaleProject):
            ports.projects.save(write_of(before, put_scene(a_job_id())))
        assert len(ports.projects.revisions(before.id, limit=10)) == 2

    def test_a_change_whose_message_is_stored_is_refused_wholly(self, ports: Ports) -> None:
        before = stored_project(ports.projects, owner=owner())
        message = a_message(before, JOB, id=message_id(JOB, "assistant"), role="assistant")
        assert ports.projects.add_message(message)

        with pytest.raises(StaleProject):
            ports.projects.save(write_of(before, put_scene(JOB), messages=(message,)))
        assert ports.projects.get(before.id) == before
        assert ports.projects.scenes(before.id, [(scene_id(JOB, 0), 2)]) == {}

    def test_of_many_changes_at_once_one_is_stored(self, ports: Ports) -> None:
        before = stored_project(ports.projects, owner=owner())

        def save(number: int) -> bool:
            try:
                ports.projects.save(write_of(before, put_scene(JOB, number)))
            except StaleProject:
                return False
            return True

        assert at_once(save).count(True) == 1
        stored = ports.projects.get(before.id)
        assert stored is not None
        assert (stored.revision, len(stored.manifest.scenes)) == (2, 1)

    def test_a_revision_keeps_the_scenes_that_a_later_one_has_removed(self, ports: Ports) -> None:
        project = stored_project(ports.projects, put_scene(JOB), owner=owner())
        remove = BuiltChange(change=RemoveScene(scene_id=scene_id(JOB, 0), base_version=2))
        ports.projects.save(write_of(project, remove))

        revision = ports.projects.revision(project.id, 2)
        assert revision is not None
        assert revision.manifest == project.manifest
        assert ports.projects.scenes(project.id, [(scene_id(JOB, 0), 2)])


class TestLists:
    def test_a_list_has_the_owners_projects_newest_first_in_pages(self, ports: Ports) -> None:
        ada, bob = owner(), owner()
        made = [
            stored_project(ports.projects, owner=ada, id=new_project_id(MILLISECONDS + number)) for number in range(3)
        ]
        stored_project(ports.projects, owner=bob)

        page, cursor = ports.projects.list_of(ada, limit=2, cursor=None)
        rest, end = ports.projects.list_of(ada, limit=2, cursor=cursor)

        assert [*page, *rest] == made[::-1]
        assert end is None
        with pytest.raises(ValueError, match=r"."):
            ports.projects.list_of(ada, limit=2, cursor="none of ours")

    def test_revisions_and_messages_are_listed_newest_first_below_a_number(self, ports: Ports) -> None:
        project = stored_project(ports.projects, put_scene(JOB), put_component(), owner=owner())
        ids = [message_id(JOB, "user"), message_id(JOB, "assistant")]
        for each in ids:
            assert ports.projects.add_message(a_message(project, JOB, id=each))

        assert [each.number for each in ports.projects.revisions(project.id, limit=10)] == [2, 1]
        assert [each.number for each in ports.projects.revisions(project.id, limit=10, before=2)] == [1]
        assert [each.number for each in ports.projects.revisions(project.id, limit=1)] == [2]
        assert list(ports.projects.revisions(project.id, limit=10, before=0)) == []
        assert [each.id for each in ports.projects.messages(project.id, limit=10)] == ids[::-1]
        assert [each.id for each in ports.projects.messages(project.id, limit=10, before=ids[1])] == ids[:1]

    def test_what_is_not_stored_is_none(self, ports: Ports) -> None:
        project = a_project()

        assert ports.projects.get(project.id) is None
        assert ports.projects.revision(project.id, 1) is None
        assert ports.projects.message(project.id, message_id(JOB, "user")) is None
        assert ports.projects.scenes(project.id, [(scene_id(JOB, 0), 1)]) == {}
        assert ports.projects.components(project.id, []) == {}


class TestLimit:
    def test_an_owner_has_a_limited_number_of_projects(self, ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("shared.apps.video.storage.projects", "tests.fakes.projects"):
            monkeypatch.setattr(f"{module}.MOST_PROJECTS", 2)
        ada = owner()
        first, _ = (stored_project(ports.projects, owner=ada) for _ in range(2))

        with pytest.raises(TooManyProjects):
            stored_project(ports.projects, owner=ada)
        for _ in range(2):
            ports.projects.hide(first)  # counted once
        stored_project(ports.projects, owner=ada)
        with pytest.raises(TooManyProjects):
            stored_project(ports.projects, owner=ada)


class TestMessages:
    def test_a_message_is_stored_with_its_job_and_changed_with_its_end(self, ports: Ports) -> None:
        project = stored_project(ports.projects, owner=owner())
        job = a_job(id=a_job_id(), links=JobLinks(project_id=project.id))
        message = a_message(project, job.id, status="running")

        ports.jobs.put_new(job, side_writes=ports.projects.prepare_message(message))
        failed = message.model_copy(update={"status": "failed"})
        update = ports.projects.prepare_update(failed, was="running")
        ports.jobs.update(job.id, {"status": JobStatus.FAILED}, when=PENDING, side_writes=update)

        assert list(ports.projects.messages(project.id, limit=2)) == [failed]

    def test_no_message_and_no_job_is_stored_for_a_project_that_is_being_deleted(self, ports: Ports) -> None:
        project = stored_project(ports.projects, owner=owner())
        job = a_job(id=a_job_id(), links=JobLinks(project_id=project.id))
        ports.projects.hide(project)

        for prepared in (
            ports.projects.prepare_message(a_message(project, job.id)),
            ports.projects.prepare_presence(project.id),
            ports.projects.prepare_update(a_message(project, job.id), was="running"),
        ):
            with pytest.raises(SideWriteConflict):
                ports.jobs.put_new(job, side_writes=prepared)
        assert not ports.projects.add_message(a_message(project, job.id))
        with pytest.raises(StaleProject):
            ports.projects.save(write_of(project, put_scene(JOB)))

    def test_of_an_answer_and_a_cancellation_one_is_stored(self, ports: Ports) -> None:
        project = stored_project(ports.projects, owner=owner())
        message = a_message(project, JOB, status="running")
        assert ports.projects.add_message(message)
        answered, cancelled = (
            ports.projects.prepare_update(message.model_copy(update={"status": status}), was="running")
            for status in ("completed", "cancelled")
        )

        ports.projects.save(write_of(project, put_scene(JOB)), also=answered)

        with pytest.raises(SideWriteConflict):
            ports.jobs.put_new(a_job(id=a_job_id()), side_writes=cancelled)
        now = ports.projects.get(project.id)
        assert now is not None
        with pytest.raises(StaleProject):
            ports.projects.save(write_of(now, put_scene(a_job_id())), also=answered)
        assert ports.projects.get(project.id) == now

    def test_a_message_is_stored_once(self, ports: Ports) -> None:
        project = stored_project(ports.projects, owner=owner())

        assert ports.projects.add_message(a_message(project, JOB, text="first"))
        assert not ports.projects.add_message(a_message(project, JOB, text="second"))
        assert [each.text for each in ports.projects.messages(project.id, limit=2)] == ["first"]


class TestDeletion:
    def test_a_hidden_project_is_in_no_list_and_can_be_read(self, ports: Ports) -> None:
        ada = owner()
        project = stored_project(ports.projects, owner=ada)

        ports.projects.hide(project)

        assert ports.projects.list_of(ada, limit=10, cursor=None) == ([], None)
        assert ports.projects.get(project.id) == project.model_copy(update={"deleting": True})

    def test_nothing_of_a_deleted_project_is_left(self, ports: Ports) -> None:
        large = put_scene(JOB).model_copy(update={"build": a_build(js_code="x" * 200_000)})
        project = stored_project(ports.projects, large, put_component(), owner=owner())
        other = stored_project(ports.projects, put_scene(JOB), owner=owner())
        assert ports.projects.add_message(a_message(project, JOB))

        ports.projects.hide(project)
        for _ in range(2):
            ports.projects.delete(project.id, purge_at=NOON)

        assert ports.projects.get(project.id) is None
        assert list(ports.projects.revisions(project.id, limit=10)) == []
        assert list(ports.projects.messages(project.id, limit=10)) == []
        assert ports.projects.scenes(project.id, [(scene_id(JOB, 0), 2)]) == {}
        assert ports.projects.scenes(other.id, [(scene_id(JOB, 0), 2)])

    def test_what_was_stored_after_a_deletion_is_purged(self, moto: AwsServer) -> None:
        store = project_store(moto)
        project = stored_project(store, put_scene(JOB), owner=owner())
        store.hide(project)
        store.delete(project.id, purge_at=NOON)
        late = f"projects/{project.id}/images/late"
        moto.s3.put_object(Bucket=moto.bucket, Key=late, Body=b"x")

        assert project.id not in store.deleted(NOON - timedelta(seconds=1))
        assert project.id in store.deleted(NOON)
        for _ in range(2):
            store.purge(project.id)

        assert project.id not in store.deleted(NOON)
        assert "Contents" not in moto.s3.list_objects_v2(Bucket=moto.bucket, Prefix=f"projects/{project.id}/")
        left = moto.dynamodb.query(
            TableName=moto.durable_table,
            KeyConditionExpression="PK = :project",
            ExpressionAttributeValues={":project": {"S": f"PROJECT#{project.id}"}},
        )
        assert left["Items"] == []


class TestPreferences:
    def test_preferences_are_replaced_by_the_next_version_only(self, ports: Ports) -> None:
        of_user = PreferenceScope(owner())
        first = Preferences(version=1, facts=(Fact(key="k", value="v – 💡", source="stated", at=NOON),))
        assert ports.preferences.get(of_user) == Preferences()

        ports.preferences.save(of_user, first)
        with pytest.raises(StalePreferences):
            ports.preferences.save(of_user, Preferences(version=1))
        assert ports.preferences.get(of_user) == first
        ports.preferences.save(of_user, Preferences(version=2))
        with pytest.raises(StalePreferences):
            ports.preferences.save(of_user, Preferences(version=2))

    def test_a_project_has_its_own_as_long_as_it_is_stored(self, ports: Ports) -> None:
        project = stored_project(ports.projects, owner=owner())
        scope = PreferenceScope(project.owner, project.id)

        ports.preferences.save(scope, Preferences(version=1))
        assert ports.preferences.get(PreferenceScope(project.owner)) == Preferences()
        ports.projects.hide(project)
        with pytest.raises(StalePreferences):
            ports.preferences.save(scope, Preferences(version=2))

    def test_they_are_stored_with_a_change_or_not_at_all(self, ports: Ports) -> None:
        project = stored_project(ports.projects, owner=owner())
        scope = PreferenceScope(project.owner, project.id)
        late = ports.preferences.prepare(scope, Preferences(version=2))

        with pytest.raises(StaleProject):
            ports.projects.save(write_of(project, put_scene(JOB)), also=late)
        assert not ports.projects.add_message(a_message(project, JOB), also=late)
        first = ports.preferences.prepare(scope, Preferences(version=1))
        ports.projects.save(write_of(project, put_scene(JOB)), also=PreparedWrites(first.writes))

        assert ports.preferences.get(scope).version == 1


class TestKeptVersions:
    """What DynamoProjectStore keeps in its process."""

    def test_a_version_that_was_stored_or_read_is_not_read_again(self, moto: AwsServer) -> None:
        stored = stored_project(project_store(moto), put_scene(JOB), put_component(), owner=owner())
        counted: list[tuple[int, int]] = []
        store = kept_store(moto, counted)
        scene = (scene_id(JOB, 0), 2)

        read = store.scenes(stored.id, [scene])
        assert store.scenes(stored.id, [scene]) == read
        written = write_of(stored, put(scene[0], base=2, name="Changed"))
        store.save(written)
        found = store.scenes(stored.id, [scene, (scene[0], 3)])

        assert {key: each.draft.name for key, each in found.items()} == {scene: "Intro", (scene[0], 3): "Changed"}
        assert counted == [(0, 1), (1, 0), (2, 0)]
        assert project_store(moto).scenes(stored.id, list(found)) == found

    def test_a_version_whose_change_was_refused_is_not_kept(self, moto: AwsServer) -> None:
        before = stored_project(project_store(moto), owner=owner())
        counted: list[tuple[int, int]] = []
        store = kept_store(moto, counted)
        project_store(moto).save(write_of(before, put_scene(JOB, name="First")))

        with pytest.raises(StaleProject):
            store.save(write_of(before, put_scene(JOB, name="Second")))

        found = store.scenes(before.id, [(scene_id(JOB, 0), 2)])
        assert [each.draft.name for each in found.values()] == ["First"]
        assert counted == [(0, 1)]

    def test_the_versions_of_a_deleted_project_are_forgotten(self, moto: AwsServer) -> None:
        store = kept_store(moto, [])
        project = stored_project(store, put_scene(JOB), owner=owner())
        store.hide(project)
        store.delete(project.id, purge_at=NOON)
        assert store.scenes(project.id, [(scene_id(JOB, 0), 2)]) == {}


def kept_store(moto: AwsServer, counted: list[tuple[int, int]]) -> DynamoProjectStore:
    return DynamoProjectStore(moto.durable_table, moto.bucket, count=lambda *counts: counted.append(counts))
