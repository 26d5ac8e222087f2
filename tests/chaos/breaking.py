"""Break a promise in a correct story, and check that the verdict finds it."""

from __future__ import annotations

import copy
from dataclasses import replace

from tests.chaos.application import Broken
from tests.chaos.story import JobStory
from tests.chaos.verdict import violations


def check_that_it_is_found(whole: JobStory, broken: Broken) -> None:
    """Break a copy of the story, and check that the verdict complains of it."""
    story = copy.copy(whole)
    story.watchers = [replace(watcher, events=copy.deepcopy(watcher.events)) for watcher in story.watchers]
    if story.follower is not None:
        story.follower = replace(story.follower, events=copy.deepcopy(story.follower.events))
    story.model_calls = [*story.model_calls]
    story.shown, story.stored, story.also = copy.deepcopy((story.shown, story.stored, story.also))
    story.found = copy.deepcopy(story.found)
    broken.how(story)
    assert any(broken.complaint in found for found in violations(story)), violations(story)
