"""Projects over HTTP: each change is a revision, each revision stays, and only the owner sees any of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.stack import LocalStack
from tests.api_user import ApiUser, data_of, refusal, wait_until
from tests.apps.video.projects_world import a_job_id, put, put_scene
from tests.apps.video.requests import get_project, give_scenes, new_project, rename, send, store_of


class TestProjects:
    def test_a_project_is_created_once_for_a_key_and_listed(self, user: ApiUser) -> None:
        headers = {"Idempotency-Key": "a-project-key"}
        body = {"title": "Tidewater – 🌊", "format": "portrait"}
        first, second = (data_of(user.api.post("/projects", json=body, headers=headers), 201) for _ in range(2))

        assert first == second
        assert (first["revision"], first["scenes"], first["format"]["height"]) == (1, [], 1280)
        refusal(user.api.post("/projects", json={"title": "Other"}, headers=headers), 422, "IDEMPOTENCY_KEY_REUSED")
        assert [each["projectId"] for each in data_of(user.api.get("/projects"))["projects"]] == [first["projectId"]]

    def test_a_project_that_has_not_changed_is_not_sent_again(self, user: ApiUser) -> None:
        path = f"/projects/{new_project(user)['projectId']}"
        etag = user.api.get(path).headers["ETag"]

        assert user.api.get(path, headers={"If-None-Match": etag}).status_code == 304
        changed = user.api.patch(path, json={"title": "New"}, headers={"If-Match": etag})
        assert (data_of(changed)["title"], changed.headers["ETag"]) == ("New", '"rev-2"')
        assert user.api.get(path, headers={"If-None-Match": etag}).status_code == 200
        refusal(user.api.patch(path, json={"title": "Late"}, headers={"If-Match": etag}), 412, "PRECONDITION_FAILED")

    def test_a_project_has_its_scenes_with_their_code_now_and_at_every_revision(
        self, stack: LocalStack, user: ApiUser
    ) -> None:
        project_id = new_project(user)["projectId"]
        job = a_job_id()
        scene_id = give_scenes(stack, project_id, put_scene(job, props={"x": 1.5})).manifest.scenes[0].scene_id
        give_scenes(stack, project_id, put(scene_id, base=2, name="Changed", props={"x": 2}))

        now = get_project(user, project_id, code="true")
        before = get_project(user, project_id, revision=2, code="true")

        assert [(each["name"], each["version"], each["code"]["props"]) for each in now["scenes"]] == [
            ("Changed", 3, {"x": 2})
        ]
        assert [(each["name"], each["version"], each["code"]["props"]) for each in before["scenes"]] == [
            ("Intro", 2, {"x": 1.5})
        ]
        assert get_project(user, project_id)["scenes"][0]["code"] is None
        refusal(user.api.get(f"/projects/{project_id}?revision=4"), 422, "VALIDATION_FAILED")
        refusal(user.api.get(f"/projects/{project_id}?revision=0"), 422, "VALIDATION_FAILED")

    def test_a_version_of_a_scene_never_changes(self, stack: LocalStack, user: ApiUser) -> None:
        project_id = new_project(user)["projectId"]
        scene_id = give_scenes(stack, project_id).manifest.scenes[0].scene_id
        path = f"/projects/{project_id}/scenes/{scene_id}"

        named, now = user.api.get(f"{path}?version=2"), user.api.get(path)

        assert data_of(named) == data_of(now)
        assert "immutable" in named.headers["Cache-Control"]
        assert "no-cache" in now.headers["Cache-Control"]
        assert user.api.get(path, headers={"If-None-Match": now.headers["ETag"]}).status_code == 304
        refusal(user.api.get(f"{path}?version=3"), 404, "NOT_FOUND")
        refusal(user.api.get(f"/projects/{project_id}/scenes/scn_none"), 404, "NOT_FOUND")

    def test_nobody_else_sees_or_changes_a_project(self, user: ApiUser, new_user: Callable[[], ApiUser]) -> None:
        path = f"/projects/{new_project(user)['projectId']}"
        stranger = new_user()

        for response in (
            stranger.api.get(path),
            stranger.api.get(f"{path}/messages"),
            stranger.api.get(f"{path}/revisions"),
            stranger.api.patch(path, json={"title": "Mine"}),
            stranger.api.post(f"{path}/revert", json={"revision": 1}),
            stranger.api.post(f"{path}/messages", json={"text": "Mine"}),
            stranger.api.delete(path),
        ):
            refusal(response, 403, "FORBIDDEN")
        refusal(user.api.get("/projects/prj_none"), 404, "NOT_FOUND")


class TestReverting:
    def test_undo_and_redo_lose_nothing(self, stack: LocalStack, user: ApiUser) -> None:
        project_id = new_project(user)["projectId"]
        give_scenes(stack, project_id, put_scene(a_job_id(), name="A"))
        give_scenes(stack, project_id, put_scene(a_job_id(), name="B"))
        path = f"/projects/{project_id}/revert"

        undone = data_of(user.api.post(path, json={"revision": 2}, headers={"If-Match": '"rev-3"'}))
        redone = data_of(user.api.post(path, json={"revision": 3}))

        assert [each["name"] for each in undone["scenes"]] == ["A"]
        assert [each["name"] for each in redone["scenes"]] == ["A", "B"]
        found = data_of(user.api.get(f"/projects/{project_id}/revisions", params={"limit": 2}))
        assert [(each["revision"], each["cause"]["kind"]) for each in found["revisions"]] == [
            (5, "revert"),
            (4, "revert"),
        ]
        rest = data_of(user.api.get(f"/projects/{project_id}/revisions", params={"cursor": found["cursor"]}))
        assert [each["revision"] for each in rest["revisions"]] == [3, 2, 1]
        assert rest["cursor"] is None

    @pytest.mark.parametrize(
        "body",
        [{"revision": 0}, {"revision": 2}, {"revision": "1"}, {}, {"revision": 1, "sceneId": "scn_none"}],
    )
    def test_a_revision_that_there_is_not_cannot_be_returned_to(self, user: ApiUser, body: dict[str, Any]) -> None:
        project_id = new_project(user)["projectId"]

        refusal(user.api.post(f"/projects/{project_id}/revert", json=body), 422, "VALIDATION_FAILED")
        assert get_project(user, project_id)["revision"] == 1


class TestChat:
    def test_a_message_makes_a_revision_and_an_answer(self, user: ApiUser) -> None:
        project_id = new_project(user)["projectId"]
        sent = send(user, project_id, **rename("Tidewater"))

        job = user.ended(sent["jobId"])

        assert job["status"] == "completed", job["failure"]
        assert (job["result"]["outcome"], job["result"]["revision"]) == ("changed", 2)
        assert get_project(user, project_id)["title"] == "Tidewater"
        answer, asked = data_of(user.api.get(f"/projects/{project_id}/messages"))["messages"]
        assert (asked["messageId"], asked["role"], asked["status"]) == (sent["messageId"], "user", "completed")
        assert (answer["role"], answer["revision"], answer["choice"]["tool"]) == ("assistant", 2, "applyPatch")
        assert [(each["change"], each["id"]) for each in answer["changes"]] == [("project", "title")]

    def test_a_message_that_repeats_its_key_is_answered_once(self, user: ApiUser) -> None:
        project_id = new_project(user)["projectId"]
        headers = {"Idempotency-Key": "a-message-key"}

        sent = [
            data_of(user.api.post(f"/projects/{project_id}/messages", json=rename("Once"), headers=headers), 202)
            for _ in range(2)
        ]

        assert sent[0] == sent[1]
        assert user.ended(sent[0]["jobId"])["status"] == "completed"
        assert len(data_of(user.api.get(f"/projects/{project_id}/messages"))["messages"]) == 2

    def test_a_change_of_a_scene_that_has_changed_fails_and_changes_nothing(
        self, stack: LocalStack, user: ApiUser
    ) -> None:
        project_id = new_project(user)["projectId"]
        scene_id = give_scenes(stack, project_id).manifest.scenes[0].scene_id
        delete = {"name": "deleteScene", "arguments": {"sceneIds": [scene_id]}}
        # The stage has read the project, and the scene is changed before it writes.
        head = f'"PROJECT#{project_id}"'
        with stack.holding("GetItem", head, executed=True, function="SaveScenesFunction") as held:
            sent = send(user, project_id, text="Delete it", tool=delete)
            wait_until(held)
            give_scenes(stack, project_id, put(scene_id, base=2, name="Changed"))

        failed = user.ended(sent["jobId"])

        assert (failed["status"], failed["failure"]["code"]) == ("failed", "SCENE_CHANGED")
        assert [each["name"] for each in get_project(user, project_id)["scenes"]] == ["Changed"]
        (asked,) = data_of(user.api.get(f"/projects/{project_id}/messages"))["messages"]
        assert (asked["status"], asked["failure"]["code"]) == ("failed", "SCENE_CHANGED")
        refusal(user.api.post(f"/jobs/{sent['jobId']}/resume"), 409, "CHECKPOINT_UNFIT")

    def test_of_two_edits_of_one_scene_at_once_one_is_kept_and_the_other_told_so(
        self, stack: LocalStack, user: ApiUser
    ) -> None:
        project_id = new_project(user)["projectId"]
        scene_id = give_scenes(stack, project_id, put_scene(a_job_id(), name="Intro")).manifest.scenes[0].scene_id

        def shorten(seconds: float) -> str:
            arguments = {"sceneId": scene_id, "mode": "trim", "seconds": seconds}
            tool = {"name": "changeDuration", "arguments": arguments}
            return str(send(user, project_id, text=f"Make it {seconds} seconds", tool=tool)["jobId"])

        # Both are made from version 2; the first has read the project, and writes after the second.
        with stack.holding("GetItem", f'"PROJECT#{project_id}"', executed=True, function="SaveScenesFunction") as held:
            late = shorten(1)
            wait_until(held)
            first = user.ended(shorten(2))
        refused = user.ended(late)

        assert (first["status"], refused["status"]) == ("completed", "failed")
        said = "scene “Intro” has version 3 now: it was changed while this message was answered. "
        said += "Nothing was changed; send the message again"
        assert (refused["failure"]["code"], refused["failure"]["message"]) == ("SCENE_CHANGED", said)
        assert (user.watch(late)[-1].type, user.watch(late)[-1].data["code"]) == ("error", "SCENE_CHANGED")
        messages = data_of(user.api.get(f"/projects/{project_id}/messages"))["messages"]
        assert [(each["role"], each["status"], (each["failure"] or {}).get("message")) for each in messages] == [
            ("assistant", "completed", None),
            ("user", "completed", None),
            ("user", "failed", said),
        ]
        project = get_project(user, project_id)
        assert (project["revision"], project["scenes"][0]["durationInFrames"]) == (3, 60)

    def test_many_messages_at_once_all_make_their_change(self, user: ApiUser) -> None:
        project_id = new_project(user)["projectId"]
        titles = [f"Title {number}" for number in range(4)]

        with ThreadPoolExecutor(len(titles)) as pool:
            jobs = list(pool.map(lambda title: send(user, project_id, **rename(title))["jobId"], titles))

        assert [user.ended(each)["status"] for each in jobs] == ["completed"] * len(titles)
        assert get_project(user, project_id)["revision"] == 1 + len(titles)


class TestBadMessages:
    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"text": ""}, "text"),
            ({"text": " \n "}, "text"),
            ({"text": "x" * 4001}, "text"),
            ({"text": "a\ud800b"}, "text"),
            ({"imageIds": ["img_01jd8x2v5n7k3q9w4t6y8z0abc"]}, "imageIds.0"),
            ({"imageIds": ["img_01jd8x2v5n7k3q9w4t6y8z0abc"] * 9}, "imageIds"),
            ({"imageIds": ["none"]}, "imageIds.0"),
            ({"sceneIds": ["scn_01jd8x2v5n7k3q9w4t6y8z0abc-0"]}, "sceneIds.0"),
            ({"selectedSceneId": "scn_01jd8x2v5n7k3q9w4t6y8z0abc-0"}, "selectedSceneId"),
            ({"answerTo": "01jd8x2v5n7k3q9w4t6y8z0abc-2"}, "answerTo"),
            ({"tool": {"name": "eraseDisk", "arguments": {}}}, "tool.name"),
            ({"tool": {"name": "deleteScene", "arguments": {}, "force": True}}, "tool.force"),
            ({"tool": {"name": "addScene", "arguments": {}}}, "tool.arguments"),
            ({"tool": {"name": "deleteScene", "arguments": {"sceneIds": ["one"]}}}, "tool.arguments.sceneIds.0"),
            ({"tool": {"name": "applyPatch", "arguments": {"ops": []}}}, "tool.arguments.ops"),
            ({"unknown": 1}, "unknown"),
        ],
    )
    def test_a_message_that_breaks_a_rule_is_refused_by_its_field(
        self, user: ApiUser, fields: dict[str, Any], field: str
    ) -> None:
        project_id = new_project(user)["projectId"]

        # Escaped, because a lone surrogate cannot be sent as UTF-8.
        body = json.dumps({"text": "Hello", **fields})
        headers = {"Content-Type": "application/json"}
        response = user.api.post(f"/projects/{project_id}/messages", content=body, headers=headers)

        error = refusal(response, 422, "VALIDATION_FAILED")
        assert field in [each["field"] for each in error["details"]["fields"]]
        assert data_of(user.api.get(f"/projects/{project_id}/messages"))["messages"] == []

    def test_a_scene_that_was_removed_cannot_be_attached(self, stack: LocalStack, user: ApiUser) -> None:
        project_id = new_project(user)["projectId"]
        scene_id = give_scenes(stack, project_id).manifest.scenes[0].scene_id
        data_of(user.api.post(f"/projects/{project_id}/revert", json={"revision": 1}))

        body = {"text": "Make it blue", "sceneIds": [scene_id]}
        refusal(user.api.post(f"/projects/{project_id}/messages", json=body), 422, "VALIDATION_FAILED")

    @pytest.mark.parametrize("title", ["", "  ", "x" * 201])
    def test_a_title_has_1_to_200_characters(self, user: ApiUser, title: str) -> None:
        refusal(user.api.post("/projects", json={"title": title}), 422, "VALIDATION_FAILED")
        project_id = new_project(user)["projectId"]
        refusal(user.api.patch(f"/projects/{project_id}", json={"title": title}), 422, "VALIDATION_FAILED")


class TestDeletion:
    def test_a_deleted_project_is_gone_with_its_jobs_and_its_chat(self, stack: LocalStack, user: ApiUser) -> None:
        project_id = new_project(user)["projectId"]
        give_scenes(stack, project_id)
        job_id = user.ended(send(user, project_id, **rename("New"))["jobId"])["jobId"]

        assert data_of(user.api.delete(f"/projects/{project_id}")) == {"projectId": project_id}

        for path in (f"/projects/{project_id}", f"/projects/{project_id}/messages", f"/jobs/{job_id}"):
            refusal(user.api.get(path), 404, "NOT_FOUND")
        refusal(user.api.post(f"/projects/{project_id}/messages", json={"text": "Hello"}), 404, "NOT_FOUND")
        assert data_of(user.api.get("/projects"))["projects"] == []
        with store_of(stack) as store:
            assert store.get(project_id) is None
            assert list(store.revisions(project_id, limit=5)) == []


class TestPreferences:
    def test_facts_are_set_and_removed_one_by_one(self, user: ApiUser) -> None:
        update = {"facts": {"brandColour": "#1d4ed8", "tone": "calm"}}
        data_of(user.api.patch("/preferences/video", json=update))

        found = data_of(user.api.patch("/preferences/video", json={"facts": {"tone": None}}))

        assert [(each["key"], each["value"], each["source"]) for each in found["facts"]] == [
            ("brandColour", "#1d4ed8", "stated")
        ]
        assert data_of(user.api.get("/preferences/video")) == found

    def test_a_project_has_its_own(self, user: ApiUser, new_user: Callable[[], ApiUser]) -> None:
        query = {"projectId": new_project(user)["projectId"]}
        data_of(user.api.patch("/preferences/video", params=query, json={"facts": {"tone": "loud"}}))

        assert data_of(user.api.get("/preferences/video"))["facts"] == []
        assert len(data_of(user.api.get("/preferences/video", params=query))["facts"]) == 1
        refusal(new_user().api.get("/preferences/video", params=query), 422, "VALIDATION_FAILED")

    @pytest.mark.parametrize("facts", [{}, {"": "x"}, {"k": ""}, {"k": "x" * 301}, {"k" * 61: "x"}, {"k": 1}])
    def test_bad_facts_are_refused(self, user: ApiUser, facts: dict[str, Any]) -> None:
        refusal(user.api.patch("/preferences/video", json={"facts": facts}), 422, "VALIDATION_FAILED")

    def test_there_is_a_limit(self, user: ApiUser) -> None:
        data_of(user.api.patch("/preferences/video", json={"facts": {f"k{n}": "x" for n in range(50)}}))
        refusal(user.api.patch("/preferences/video", json={"facts": {"more": "x"}}), 422, "VALIDATION_FAILED")
