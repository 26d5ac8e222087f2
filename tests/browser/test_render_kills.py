"""A chunk's process that is killed: its retry renders the chunk again, unless the file is stored; all is told once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from local.stack import LocalStack
from shared.apps.video.rendering import programs
from tests.api_user import ApiUser, wait_until
from tests.browser.test_renders import create, get, project_of
from tests.browser.test_video_page import a_scene
from tests.patience import ALLOWANCE

pytestmark = pytest.mark.skipif(bool(programs.missing()), reason="renders need Chromium and PyAV: make render")


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """A stack whose functions have processes of their own, so that one of them can be killed."""
    with LocalStack("processes", allowance=ALLOWANCE) as started:
        yield started


@pytest.mark.parametrize("is_stored", [False, True], ids=["before its file is stored", "after its file is stored"])
def test_a_killed_chunk_is_retried_and_told_once(user: ApiUser, stack: LocalStack, is_stored: bool) -> None:
    project_id = project_of(user, a_scene("One"))
    with stack.holding("PUT", executed=is_stored, function="RenderChunkFunction") as held:
        render = create(user, project_id, quality="draft")
        wait_until(held)
        for process in stack.processes()["render_chunk"]:
            os.kill(process, signal.SIGKILL)

    job = user.ended(render["jobId"])

    assert (job["status"], job["retryCount"]) == ("completed", 1)
    (told,) = [each.data for each in user.watch(render["jobId"]) if each.type == "chunkRendered"]
    assert (told["frames"], told["milliseconds"] == 0) == (30, is_stored)
    assert get(user, render)["frames"] == 30
