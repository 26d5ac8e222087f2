"""What the attempts of stages and of parts have in common: what they load, and what they store when they fail."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from shared.agents.agent import Agent
from shared.agents.store import AgentVersions
from shared.clock import Clock
from shared.errors import InternalFault, MillraceError
from shared.jobs.job import Fault, Job
from shared.jobs.store import JobGuard, JobStore, StaleWrite
from shared.log.usage import TokenUsage
from shared.observability.log import log
from shared.stages.stage import AttemptContext


async def agent_of(job: Job, agents: AgentVersions) -> Agent | None:
    """Return the agent's version that the job uses; None if it has no agent."""
    if job.agent is None:
        return None
    agent = await asyncio.to_thread(agents.version, job.agent.agent_id, job.agent.version)
    if agent is None:
        # A deleted agent's versions are stored for longer than any job that uses them.
        raise InternalFault("the job's agent no longer exists")
    return agent


def stored_fault(job: Job, fault: MillraceError, *, message: str, attempt: int) -> Fault:
    """Return the fault to store on the job."""
    return Fault(
        code=fault.code,
        message=message,
        stage=job.stage,
        attempt=attempt,
        retryable=fault.retryable,
        trace_id=job.trace_id,
    )


async def store_usage(jobs: JobStore, job_id: str, usage: TokenUsage, clock: Clock) -> None:
    """Add the tokens of an attempt that has not finished to its job, whatever the job's status is by now."""
    if usage == TokenUsage():
        return
    try:
        await asyncio.to_thread(_add_usage, jobs, job_id, usage, clock)
    except MillraceError as fault:
        log.warning("tokens not stored on the job", code=fault.code)


async def add_compute(jobs: JobStore, job_id: str) -> None:
    """Add to the job what an attempt has used of AWS that writes nothing more to it."""
    try:
        await asyncio.to_thread(jobs.add_compute, job_id)
    except MillraceError as fault:
        log.warning("compute not stored on the job", code=fault.code)


def _add_usage(jobs: JobStore, job_id: str, usage: TokenUsage, clock: Clock) -> None:
    current = jobs.get(job_id)
    while current is not None:
        # Each change has its own `updated_at`, because that is what the next change is conditional on.
        at = max(clock(), current.updated_at + timedelta(microseconds=1))
        changes = {"usage": current.usage + usage, "updated_at": at}
        try:
            jobs.update(job_id, changes, when=JobGuard(updated_at=current.updated_at))
        except StaleWrite as stale:
            if stale.current is not None and stale.current.updated_at == at:
                return  # botocore repeated a write whose response was lost
            current = stale.current
        else:
            return


async def cancel_response(context: AttemptContext) -> None:
    """Cancel the model response that the attempt has left running, if it has."""
    if context.cancel_response is None:
        return
    try:
        await context.cancel_response()
    except MillraceError as fault:
        log.warning("model response not cancelled", code=fault.code)
