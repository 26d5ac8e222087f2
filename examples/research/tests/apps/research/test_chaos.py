"""A small run of `make chaos` with research jobs finds no broken promise, and finds each one that a test breaks."""

from __future__ import annotations

import asyncio

import pytest

from local.stack import LocalStack
from tests.apps.research.chaos import APPLICATION
from tests.chaos import report
from tests.chaos.application import Broken
from tests.chaos.breaking import check_that_it_is_found
from tests.chaos.plan import plan_of
from tests.chaos.run import ChaosRun
from tests.chaos.story import JobStory
from tests.chaos.verdict import violations

SEED = 28493
SCENARIOS = ("calm", "killed in parts", "killed between tool calls", "straggler between tool calls")


@pytest.fixture(scope="module")
def stories(stack: LocalStack, scripted_model: str) -> list[JobStory]:
    plan = plan_of(SEED, *((scenario, APPLICATION.pipeline) for scenario in SCENARIOS))
    run = ChaosRun(stack, plan, tell=lambda _: None, model_url=scripted_model)
    return asyncio.run(run.run())


def test_every_job_keeps_every_promise(stories: list[JobStory]) -> None:
    broken = [report.whole_story(story, found) for story in stories if (found := violations(story))]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("broken", APPLICATION.broken, ids=lambda broken: broken.how.__name__.strip("_"))
def test_the_verdict_finds_each_broken_promise(stories: list[JobStory], broken: Broken) -> None:
    check_that_it_is_found(next(story for story in stories if story.plan.scenario == "calm"), broken)
