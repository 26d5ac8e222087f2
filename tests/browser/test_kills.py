"""A process is killed while it runs a stage or renders a chunk: a retry does the work again, and all is told once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from local.model.control import ModelControl
from local.stack import LocalStack
from shared.apps.video.rendering import programs
from tests.api_user import ApiUser, wait_until
from tests.browser.audit import audit
from tests.browser.console import Console
from tests.browser.scripts import job_that_hangs
from tests.browser.test_renders import create, get, project_of
from tests.browser.test_video_page import a_scene
from tests.patience import ALLOWANCE, WITHOUT_TOKEN_TIMEOUT

renders = pytest.mark.skipif(bool(programs.missing()), reason="renders need Chromium and PyAV: make render")


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """A stack whose functions have processes of their own, so that one of them can be killed."""
    with LocalStack("processes", environment=WITHOUT_TOKEN_TIMEOUT, allowance=ALLOWANCE) as started:
        yield started


def test_a_stage_killed_during_the_stream_starts_again_and_the_page_says_so(
    console: Console, user: ApiUser, stack: LocalStack, model: ModelControl
) -> None:
    job = console.job(job_that_hangs(user, model))
    job.until_text(200)
    for pid in stack.processes()["generate_suggestions"]:
        os.kill(pid, signal.SIGKILL)
    expect(job.happened).to_have_count(1)
    expect(job.happened).to_contain_text(["process was lost"])
    made = job.is_complete()
    assert made["retryCount"] == 1
    expect(console.page.get_by_role("region", name="Stages")).to_contain_text("attempt 2")
    audit(console.tab, "job-killed-stage")


@renders
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
