"""`make chaos`: run jobs on the whole stack with the faults of a seeded plan; exit with 1 if a promise was broken.

The same seed and number of jobs give the same plan: the faults of each job, and the events of its watcher at which they
happen. The time of these events depends on the machine, so a failing seed fails again in most runs, but not in all.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp

from rich.console import Console

from local.demo.example import EXAMPLES, repository_with, run_there
from local.stack import ROOT, WITHOUT_RATE_LIMITS, LocalStack
from tests.chaos import report
from tests.chaos.application import applications, left_out
from tests.chaos.consumers import kill_consumers
from tests.chaos.every_point import every_point
from tests.chaos.plan import Plan, make_plan
from tests.chaos.run import AT_ONCE, ENVIRONMENT, ChaosRun
from tests.chaos.story import JobStory
from tests.chaos.verdict import violations
from tests.chaos.webhook_receiver import WebhookReceiver
from tests.chaos.webhook_verdict import secrets_in
from tests.chaos.webhooks import Webhooks
from tests.patience import ALLOWANCE

_TOLD_IN_FULL = 5


def run_on_a_stack(
    plan: Plan, logs: Path, tell: Callable[[JobStory], None], *, receiver: WebhookReceiver | None = None
) -> tuple[list[JobStory], Mapping[str, int], Sequence[str], Webhooks | None]:
    """Run the plan's jobs on a new stack, which writes its logs to `logs`; with `receiver` their users have webhooks.

    Return their stories, how many faults AWS has returned by operation, how each sweep ended, and the webhooks.
    """
    with LocalStack("processes", environment=ENVIRONMENT, log_dir=logs, allowance=ALLOWANCE) as stack:
        webhooks = None if receiver is None else Webhooks(stack, receiver, plan)
        run = ChaosRun(stack, plan, tell=tell, webhooks=webhooks)
        stories = asyncio.run(run.run())
        faults = stack.injected_faults()
    if webhooks is not None:
        webhooks.broken += secrets_in(logs, webhooks.endpoints)
    return stories, faults, run.sweeps, webhooks


def chaos(plan: Plan, console: Console) -> bool:
    """Run the plan, print the report, and return whether every promise was kept."""
    console.print(f"seed {plan.seed}, {len(plan.jobs)} jobs, {AT_ONCE} at a time; replay: SEED={plan.seed}")
    console.print(f"planned: {report.planned(plan)}")
    began = time.monotonic()
    logs = Path(mkdtemp(prefix="millrace-chaos-"))
    ended = 0

    def tell(story: JobStory) -> None:
        nonlocal ended
        ended += 1
        if ended % 20 == 0:
            console.print(
                f"  {ended} jobs ended after {time.monotonic() - began:.0f} s; the last: {story.plan.scenario}"
            )

    with WebhookReceiver().serving() as receiver:
        stories, faults, sweeps, webhooks = run_on_a_stack(plan, logs, tell, receiver=receiver)
    assert webhooks is not None
    broken = [(story, found) for story in stories if (found := violations(story))]
    console.print(report.outcomes(stories))
    console.print(report.injected(stories))
    for remark in (*report.remarks(stories), *webhooks.remarks(stories), f"sweeps: {report.listed(Counter(sweeps))}"):
        console.print(remark)
    console.print(f"faults that AWS returned: {report.listed(Counter(faults))}")
    for story, found in broken[:_TOLD_IN_FULL]:
        console.print(report.whole_story(story, found), markup=False, soft_wrap=True)
    seconds = time.monotonic() - began
    for story, found in broken:
        console.print(
            f"job {story.plan.number} ({story.plan.scenario}): {found[0][:200]}", markup=False, soft_wrap=True
        )
    for problem in webhooks.broken:
        console.print(problem[:300], markup=False, soft_wrap=True)
    lacking = [*report.too_rare(stories, faults.get("DescribeExecution", 0)), *webhooks.too_rare(len(stories))]
    failed_sweeps = [sweep for sweep in sweeps if sweep not in {"done", "StorageThrottled"}]
    for problem in (*lacking, *failed_sweeps):
        console.print(f"not as planned: {problem}", markup=False)
    if not (broken or webhooks.broken):
        shutil.rmtree(logs)
    verdict = "every promise held"
    if broken or webhooks.broken:
        verdict = f"{len(broken)} jobs and {len(webhooks.broken)} webhooks broke a promise; logs in {logs}"
    console.print(f"{verdict}: seed {plan.seed}, {len(stories)} jobs in {seconds:.0f} s")
    return not (broken or webhooks.broken or lacking or failed_sweeps)


def kill_at_every_point(console: Console, only: str | None) -> bool:
    """Kill at every point of `only`, or of each application with tools; return whether every promise was kept."""
    kept = True
    for name, application in applications().items():
        if name == only or (only is None and application.has_tools):
            with LocalStack("processes", environment=WITHOUT_RATE_LIMITS, allowance=ALLOWANCE) as stack:
                kept &= every_point(stack, application, console)
    return kept


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=None, help="of the plan; a random one by default")
    parser.add_argument("--only", metavar="PIPELINE", help="run jobs of this pipeline only")
    parser.add_argument("--every-point", action="store_true", help="kill at every call of a job with tools instead")
    parser.add_argument("--consumers", action="store_true", help="kill the functions that learn of changes instead")
    parser.add_argument("--here", action="store_true", help="do not install the examples in a copy of the repository")
    options = parser.parse_args()
    missing = [] if options.here else examples_to_install()
    if missing:
        with repository_with(missing, "tests") as copy:
            return run_there(copy, "tests.chaos", "--here", *sys.argv[1:])
    console = Console(width=130)
    for application in left_out():
        console.print(f"takes no part: {application}", markup=False)
    if options.only not in {None, *applications()}:
        parser.error(f"--only: {options.only} is none of {', '.join(applications())}")
    if options.consumers:
        with LocalStack("processes", environment=WITHOUT_RATE_LIMITS, allowance=ALLOWANCE) as stack:
            return int(not kill_consumers(stack, console))
    if options.every_point:
        return int(not kill_at_every_point(console, options.only))
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    return int(not chaos(make_plan(seed, options.jobs, only=options.only), console))


def examples_to_install() -> list[str]:
    """Return the examples that have jobs for chaos and are not installed."""
    found = {file.parents[3].name: file.parent.name for file in EXAMPLES.glob("*/tests/apps/*/chaos.py")}
    return sorted(name for name, application in found.items() if not (ROOT / "shared/apps" / application).exists())


if __name__ == "__main__":
    sys.exit(main())
