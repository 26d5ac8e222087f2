"""Report a run as tables, and a job that broke a promise as its whole story."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.table import Table

from tests.chaos.application import applications
from tests.chaos.plan import Plan
from tests.chaos.story import JobStory, stored_log


def planned(plan: Plan) -> str:
    """Return the number of actions of each kind in the plan."""
    counts = Counter(type(action).__name__.lower() for job in plan.jobs for action in job.trouble.actions)
    counts["resumption"] = sum(len(job.resumptions) for job in plan.jobs)
    counts["model fault"] = sum(bool(job.trouble.rules) for job in plan.jobs)
    counts.update(f"{job.application} job" for job in plan.jobs)
    counts["dropped connection"] = sum(len(job.steady.drops) + len(job.dropping.drops) for job in plan.jobs)
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def outcomes(stories: Sequence[JobStory]) -> Table:
    """Return a table with a row per scenario: how its jobs ended, and their costs."""
    table = Table(title="what happened, by what was done (sums over the scenario's jobs)", title_justify="left")
    table.add_column("scenario", no_wrap=True)
    for heading in ("jobs", "completed", "failed", "cancelled", "retries", "resets", "model calls", "reconnects", "s"):
        table.add_column(heading, justify="right")
    by_scenario: dict[str, list[JobStory]] = defaultdict(list)
    for story in stories:
        by_scenario[story.plan.scenario].append(story)
    for scenario, group in [*sorted(by_scenario.items()), ("all", list(stories))]:
        ends = Counter(story.shown["status"] for story in group)
        if scenario == "all":
            table.add_section()
        table.add_row(
            scenario,
            str(len(group)),
            *(str(ends[end] or "") for end in ("completed", "failed", "cancelled")),
            str(sum(story.shown["retryCount"] for story in group)),
            str(sum(event.type == "reset" for story in group for event in story.watchers[0].events)),
            str(sum(len(story.model_calls) for story in group)),
            str(sum(max(0, each.connections - 1) for story in group for each in story.watchers)),
            f"{statistics.median(story.took for story in group):.1f}",
        )
    return table


def injected(stories: Sequence[JobStory]) -> Table:
    """Return a table of the injected faults, with the time from each to the job's end."""
    table = Table(title="what was injected", title_justify="left")
    table.add_column("injection", no_wrap=True)
    for heading in ("times", "to the job's end, median s", "longest s"):
        table.add_column(heading, justify="right")
    until_end: dict[str, list[float]] = defaultdict(list)
    for story in stories:
        for each in story.injected:
            until_end[each.what].append((story.watchers[0].ended_at or each.at) - each.at)
    for what, spans in sorted(until_end.items()):
        left = [span for span in spans if span >= 0]
        shown = (f"{statistics.median(left):.1f}", f"{max(left):.1f}") if left else ("after the end", "")
        table.add_row(what, str(len(spans)), *shown)
    return table


def remarks(stories: Sequence[JobStory]) -> list[str]:
    """Return lines that show whether the run reached the cases that it is for."""
    reasons = Counter(story.shown["failure"]["code"] for story in stories if story.shown.get("failure"))
    superseded = Counter(
        each["errorType"] or "finished before its successor began"
        for story in stories
        for each in story.invocations
        if each["abandoned"]
    )
    snapshots = sum(event.type == "snapshot" for story in stories for each in story.watchers for event in each.events)
    watchers = [each for story in stories for each in story.watchers]
    transports = Counter[str](each.plan.transport for each in watchers)
    followers = [story.follower for story in stories if story.follower is not None]
    counted = Counter[str]()
    for story in stories:
        counted.update(story.application.counted(story))
    return [
        f"failed with: {listed(reasons)}",
        f"what became of attempts that were lost: {listed(superseded)}",
        f"attempts that died or were overtaken between their last append and their checkpoint: "
        f"{sum(_resets_of_whole_text(story) for story in stories)}",
        f"watchers: {len(watchers)}, with {sum(len(each.events) for each in watchers)} events, {snapshots} of them "
        f"snapshots; told to come back later: {sum(each.refused for each in watchers)} times",
        f"watchers by transport: {listed(transports)}",
        f"followers of topics: {len(followers)}, with {sum(len(each.events) for each in followers)} events",
        f"counted: {listed(counted)}",
        *_measured(stories),
    ]


def _measured(stories: Sequence[JobStory]) -> list[str]:
    times: dict[str, list[float]] = defaultdict(list)
    for story in stories:
        for name, seconds in story.application.measured(story).items():
            times[name].append(seconds)
    return [
        f"{name}: {len(each)} times, median {statistics.median(each):.2f} s, longest {max(each):.2f} s"
        for name, each in times.items()
    ]


REQUIRED = (
    "append after reset lost",
    "cancel",
    "duplicate",
    "kill",
    "late duplicate",
    "late start",
    "left to the sweep",
    "lost but running",
    "resume",
    "resume repeated",
    "resume twice",
    "resume_job killed",
    "straggle",
    "throttle",
    "throttled DescribeExecution",
    "watched over both",
    "watched over channel",
    "watcher back: after",
    "watcher back: at",
    "watcher back: before",
    "watcher back: beginning",
)
"""What a run must have injected."""
JOBS_PER_INJECTION = 100
"""A run must have injected each of them at least once for this number of jobs. A scenario is drawn about twice in it,
and some jobs end before their fault."""


def too_rare(stories: Sequence[JobStory], throttled: int) -> list[str]:
    """Return the injections that were made too rarely for the run to mean anything.

    `throttled` is how many questions of the sweep were refused.
    """
    made = Counter(each.what for story in stories for each in story.injected)
    made["throttled DescribeExecution"] = throttled
    made.update(f"watched over {each.plan.transport}" for story in stories for each in story.watchers)
    least = len(stories) // JOBS_PER_INJECTION
    planned = {story.plan.application for story in stories}
    required = (*REQUIRED, *(what for name in planned for what in applications()[name].required))
    return [f"{what} only {made[what]} times, not {least}" for what in required if made[what] < least]


def whole_story(story: JobStory, found: Sequence[str]) -> str:
    """Return everything that is known about a job that broke a promise."""
    lines = [
        f"job {story.plan.number} ({story.plan.application}, {story.job_id}), scenario {story.plan.scenario!r}",
        *(f"  VIOLATED  {each}" for each in found),
        f"  plan      {story.plan}",
        *(f"  injected  {_time(each.at)} {each.what}: {each.detail}" for each in story.injected),
        *(
            f"  attempt   {each['function']} retry {each['payload'].get('retry')}: {each['errorType'] or 'done'}"
            f"{'' if each['ended'] else ', still runs'}{', lost' if each['abandoned'] else ''}"
            for each in story.invocations
        ),
    ]
    for watcher in story.watchers:
        lines += [f"  {watcher.kind:9} {event.id} {event.type} {str(event.data)[:160]}" for event in watcher.events]
    lines += [
        f"  stored    {event.id} {_time(event.at)} {event.fence} {event.type} {str(event.data)[:140]}"
        for event in stored_log(story)
    ]
    lines += [f"  model     {_time(call.arrived_at)} {call.prompt[-300:]!r}" for call in story.model_calls]
    lines += [f"  {name:9} {shown}" for name, shown in {"GET": story.shown, **story.also}.items()]
    return "\n".join(lines)


def _resets_of_whole_text(story: JobStory) -> int:
    text, found = "", 0
    for event in story.watchers[0].events:
        if event.type == "delta":
            text += event.data["text"]
        elif event.type in {"reset", "snapshot"}:
            found += event.type == "reset" and story.application.is_whole(text)
            text = event.data["text"]
    return found


def listed(counts: Counter[str]) -> str:
    """Return the counts as a list, the highest first."""
    return ", ".join(f"{count} {name}" for name, count in counts.most_common()) or "none"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3]
