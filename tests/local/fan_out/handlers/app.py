"""The functions of the pipeline `anthology`, whose parts do what the job's topic says."""

from __future__ import annotations

import asyncio
import functools
import os
from pathlib import Path
from typing import Any

from shared import bootstrap
from shared.assembly import Core
from shared.bootstrap import run_part, run_stage
from shared.errors import ModelRefused
from shared.jobs.invocation import FailureInvocation, PartInvocation, StageInvocation
from shared.jobs.job import Job
from shared.runtime.invocation import observed
from shared.stages.part import PartContext
from shared.stages.stage import StageContext
from tests.fakes.core import ANTHOLOGY
from tests.local.fan_out.ports import Ports

bootstrap.core = functools.cache(lambda: Core(Ports()))


def folder_of(job: Job) -> Path:
    """Return the folder whose files say what the parts do: `parts`, `<part>.hangs`, `.waits`, `.fails`."""
    return Path(job.input["topic"])


class ChoosePoems:
    name = "choose_poems"

    async def run(self, context: StageContext) -> dict[str, Any]:
        context.output.write("chosen;")
        return {"parts": folder_of(context.job).joinpath("parts").read_text().split()}


class ReadPoem:
    name = "read_poem"

    async def run(self, context: PartContext) -> dict[str, Any]:
        folder = folder_of(context.job)
        with (folder / "runs").open("a") as runs:
            runs.write(f"{context.part}\n")
        hangs = folder / f"{context.part}.hangs"
        if hangs.exists() and not hangs.read_text():
            hangs.write_text(str(os.getpid()))
            await asyncio.sleep(3600)
        while (folder / f"{context.part}.waits").exists():  # noqa: ASYNC110 - the test removes the file
            await asyncio.sleep(0.02)
        if (folder / f"{context.part}.fails").exists():
            raise ModelRefused("not this poem")
        return {"read": context.part}


class BindPoems:
    name = "bind_poems"

    async def run(self, context: StageContext) -> dict[str, Any]:
        return {"lines": [f"{key} {result['read']}" for key, result in context.parts.items()]}


@observed
def choose_poems(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return run_stage(ANTHOLOGY, ChoosePoems(), StageInvocation.model_validate(event)).model_dump()


@observed
def read_poem(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return run_part(ANTHOLOGY, ReadPoem(), PartInvocation.model_validate(event)).model_dump()


@observed
def bind_poems(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return run_stage(ANTHOLOGY, BindPoems(), StageInvocation.model_validate(event)).model_dump()


@observed
def complete_job(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return bootstrap.core().job_completion.complete(StageInvocation.model_validate(event)).model_dump()


@observed
def record_failure(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return bootstrap.core().job_completion.record_failure(FailureInvocation.model_validate(event)).model_dump()
