"""`make demo`: run one job on the local stack, show it while it runs, and print what it cost.

Exit status: 0 if the job completed, 1 if it did not, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.text import Text

from local.api.client import ClientError, JobsClient, Refused
from local.demo.example import examples, run_example
from local.demo.pipeline import Accepted, PipelineDemo, demos
from local.demo.screen import ACCENT, BAD, GOOD, WARNING, Screen, numbered, screen_for, terminal_console
from local.interrupts import accept_interrupts
from local.model.choice import ModelChoice
from local.stack import ROOT, LocalStack, StackError
from shared.errors import ErrorCode, ModelMisconfigured
from shared.log.events import Cancelled, Complete, Connected, Delta, Failed, Progress, Reset, Snapshot, StageStarted
from shared.log.transcript import Transcript
from shared.log.usage import JobCost, TokenUsage

LONGEST_JOB: Final = 300.0
"""Seconds after which the demo cancels its job; checked at each event and at the end of each connection."""

INTERRUPTED: Final = 128 + signal.SIGINT
_OTHER_MODEL: Final = "set OPENAI_MODEL to another model, or unset all OPENAI_ variables to use the scripted model"
_ADVICE: Final[Mapping[ErrorCode, str]] = {
    ErrorCode.MODEL_REJECTED_REQUEST: "check OPENAI_API_KEY, OPENAI_BASE_URL and OPENAI_MODEL",
    ErrorCode.MODEL_MISCONFIGURED: "correct the setting that the message names",
    ErrorCode.MODEL_RATE_LIMITED: f"repeat in a minute; {_OTHER_MODEL}",
    ErrorCode.MODEL_NOT_READY: f"repeat when the endpoint has loaded its model; {_OTHER_MODEL}",
    ErrorCode.MODEL_UNAVAILABLE: "curl $OPENAI_BASE_URL/models, which shows whether this machine reaches the endpoint",
    ErrorCode.MODEL_TIMEOUT: f"repeat; {_OTHER_MODEL}",
    ErrorCode.MODEL_DISCONNECTED: f"repeat; {_OTHER_MODEL}",
    ErrorCode.MODEL_REFUSED: _OTHER_MODEL,
    ErrorCode.MODEL_OUTPUT_TOO_LONG: f"repeat; {_OTHER_MODEL}",
    ErrorCode.INVALID_MODEL_OUTPUT: f"use a model that follows JSON schemas: {_OTHER_MODEL}",
}
_LOGS_ADVICE: Final = "make demo ARGS='--log-dir logs', and read the log files there"


@dataclass(slots=True)
class _Run:
    """One job on the screen. Times are seconds since the request."""

    stack: LocalStack
    client: JobsClient
    screen: Screen
    demo: PipelineDemo
    scripted: bool
    job: Accepted | None = None
    first_delta: float | None = None
    connections: int = 0

    def show(self) -> int:
        """Create the job, follow it to its end, and return the exit status. Raises ClientError."""
        with self.demo.extras(self.stack, self.client, self.screen) as extras:
            self.demo.prepare(self.client)
            self.screen.start_clock()
            self.job = self.demo.create(self.client)
            accepted = f" accepted in {self.screen.elapsed * 1000:.0f} ms"
            self.screen.event("202", Text.assemble((self.job.job_id, "bold"), accepted), GOOD)
            extras.on_acceptance(self.job)
            transcript = Transcript()
            for received in self.client.follow(self.job.stream_url):
                if received.id is not None:
                    transcript.apply(received.id, received.event)
                    extras.on_event(received.id, received.event, transcript)
                self._show_event(received.event, transcript)
                if self.screen.elapsed > LONGEST_JOB:
                    self.cancel()
                    break
            self.screen.settle()
            status = self._conclude(self.job, transcript.ended)
            if status == 0:
                extras.on_completion()
        return status

    def _show_event(self, event: Any, now: Transcript) -> None:
        screen = self.screen
        match event:
            case Connected(last_event_id=last):
                self.connections += 1
                if self.connections > 1:
                    screen.event("reconnect", f"the stream continues after event {last}", WARNING)
            case StageStarted(stage=stage, index=index, of=of):
                screen.stage(stage, index, of)
            case Reset():
                screen.restart(now.text, now.progress)
                kept = f"{len(now.text)} characters are kept" if now.text else "the text begins again"
                what = f"attempt {event.attempt}: {event.message.rstrip('.')}; {kept}"
                screen.event("repair" if event.reason == "REPAIR" else "retry", what, WARNING)
            case Delta():
                if self.first_delta is None:
                    self.first_delta = screen.elapsed
                screen.text(now.text, now.progress)
            case Progress() | Snapshot():
                screen.text(now.text, now.progress)
            case _:
                pass

    def _conclude(self, job: Accepted, end: Any) -> int:
        total = self.screen.elapsed
        match end:
            case Complete(result=dict() as result):
                self.screen.event("complete", "the result has been checked against its schema", GOOD)
                self.screen.console.print()
                for card in self.demo.cards(result):
                    self.screen.console.print(card)
                self.screen.costs(self._costs(job, end, total))
                return 0
            case Failed():
                self.screen.event("failed", f"in {_stage_of(end)}, attempt {end.attempt}", BAD)
                advice = _LOGS_ADVICE if self.scripted else _ADVICE.get(end.code, _LOGS_ADVICE)
                self.screen.failure(f"The job failed: {end.code}", end.message, advice)
                self.screen.costs(self._costs(job, end, total))
            case Cancelled():
                self.screen.failure("The job was cancelled", "by another client of the same user", "make demo")
                self.screen.costs(self._costs(job, end, total))
            case _:
                self.screen.failure("The job has no result", f"none came in {total:.0f} s", _LOGS_ADVICE)
        return 1

    def _costs(self, job: Accepted, end: Complete | Failed | Cancelled, total: float) -> dict[str, str]:
        units = self.stack.capacity(job.job_id)  # before the read below, which must not count
        detail = self.client.get(job.job_id)
        steps = 0 if detail.execution_arn is None else self.stack.transitions(detail.execution_arn)
        usage = end.usage or detail.usage
        cost = detail.usage.cost or usage.cost  # the job may have more of its watchers than its last event
        if usage.cost_usd is not None:
            price = f"{'at least ' if usage.unreported_calls else ''}${usage.cost_usd:.6f}"
        else:
            price = "free: scripted" if self.scripted else f"unknown for {detail.model}"
        first = (
            "no text was streamed"
            if self.first_delta is None
            else f"{self.first_delta * 1000:.0f} ms after the request"
        )
        return {
            "model tokens": f"{_tokens(usage)} ({detail.model})",
            "model price": price,
            "DynamoDB": f"{numbered(units['writeUnits'], 'write unit')}, {numbered(units['readUnits'], 'read unit')}",
            "Step Functions": numbered(steps, "state transition"),
            "cost": cost_line(cost, scripted=self.scripted),
            "first text": first,
            "in all": f"{total:.1f} s",
        }

    def cancel(self) -> None:
        """Cancel the job, so that its model call does not continue without a watcher."""
        self.screen.settle()
        if self.job is None:
            return
        try:
            self.client.cancel(self.job.job_id)
        except ClientError as error:
            self.screen.event("stopped", f"the job could not be cancelled: {error}", WARNING)
        else:
            self.screen.event("cancelled", self.job.job_id, WARNING)


def cost_line(cost: JobCost | None, *, scripted: bool) -> str:
    """Return the estimated price of a job in words: the model's and AWS's."""
    if cost is None:
        return "unknown"
    model = "$0 (scripted)" if scripted and cost.model_usd is None else _usd(cost.model_usd)
    parts = {
        "Lambda": cost.lambda_usd,
        "DynamoDB": cost.dynamodb_usd,
        "Step Functions": cost.step_functions_usd,
        "watchers": cost.watchers_usd,
        "S3": cost.storage_usd,
    }
    named = ", ".join(f"{name} {_usd(usd)}" for name, usd in parts.items() if usd is None or usd > 0)
    return f"model {model}, AWS {_usd(cost.aws_usd)} ({named})"


def _usd(usd: float | None) -> str:
    return "unknown" if usd is None else f"${usd:.6f}"


def _tokens(usage: TokenUsage) -> str:
    """Return the tokens in words. With calls without a report they are a least number, and 0 is unknown."""
    reported = f"{usage.input_tokens} in, {usage.output_tokens} out"
    if not usage.unreported_calls:
        return reported
    known = f"at least {reported}" if usage.total_tokens else "not reported"
    return f"{known}, {numbered(usage.unreported_calls, 'call')} without a report"


def _stage_of(end: Failed) -> str:
    return "no stage" if end.stage is None else end.stage.replace("_", " ")


def _first_and_last_line(message: str) -> str:
    """Return the name of the process that did not start and its last line; the lines between are a stack trace."""
    lines = message.splitlines()
    return message if len(lines) < 3 else f"{lines[0]}\n{lines[-1]}"


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status."""
    options = _options(arguments)
    accept_interrupts()
    if options.pipeline not in demos():
        return _run_example(options)
    console = terminal_console()
    demo = demos()[options.pipeline](options.script)
    screen = screen_for(console, demo.preview)
    try:
        choice = ModelChoice.of_environment(os.environ, ROOT / "template.yaml")
        return _run_demo(screen, demo, choice, options.log_dir)
    except ModelMisconfigured as error:
        screen.failure("The model is not configured correctly", error.message, "make demo, when it is corrected")
    except KeyboardInterrupt:
        screen.settle()
        return INTERRUPTED
    except StackError as error:
        screen.failure("The local stack did not start", _first_and_last_line(str(error)), _LOGS_ADVICE)
    except Refused as refusal:
        screen.settle()
        screen.failure(
            f"The API refused: {refusal.error.code}",
            refusal.error.message,
            _ADVICE.get(refusal.error.code, _LOGS_ADVICE),
        )
    except ClientError as error:
        screen.settle()
        screen.failure("The local stack does not respond", str(error), _LOGS_ADVICE)
    return 1


def _run_example(options: argparse.Namespace) -> int:
    arguments = ["--pipeline", options.pipeline]
    if options.log_dir is not None:
        arguments += ["--log-dir", str(options.log_dir.absolute())]
    if options.script is not None:
        arguments += ["--script", options.script]
    try:
        return run_example(options.pipeline, arguments)
    except KeyboardInterrupt:
        return INTERRUPTED


def _run_demo(screen: Screen, demo: PipelineDemo, choice: ModelChoice, log_dir: Path | None) -> int:
    screen.console.print(Text.assemble(("Millrace", f"bold {ACCENT}"), f"  {demo.pipeline.name} demo"))
    screen.console.print()
    screen.label("request", demo.summary)
    screen.label("model", choice.label)
    began = time.monotonic()
    stack = LocalStack(
        model_url=choice.url,
        model_api_key=choice.api_key,
        model=choice.name,
        log_dir=log_dir,
        environment=demo.environment,
        allowance=10,  # no demo is about a time limit
    )
    with contextlib.ExitStack() as running:
        with screen.waiting("starting the stack"):
            running.callback(stack.stop)  # also if Ctrl-C comes while it starts
            stack.start()
            warmth = _warm(stack, demo, choice.scripted)
        client = running.enter_context(JobsClient(stack.api_url, stack.token("demo")))
        screen.label("stack", f"ready in {time.monotonic() - began:.1f} s at {stack.api_url}, {warmth}")
        screen.console.print()
        run = _Run(stack, client, screen, demo, choice.scripted)
        try:
            status = run.show()
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the stop
            run.cancel()
            status = INTERRUPTED
    return status


def _warm(stack: LocalStack, demo: PipelineDemo, scripted: bool) -> str:
    """Run one job first, so that the demo shows a warm service. With a real model call only the API: tokens cost."""
    with JobsClient(stack.api_url, stack.token("warm-up")) as client:
        if scripted:
            quick = type(demo)("first_token_ms=0, token_ms=0")
            quick.prepare(client)
            job = quick.create(client)
            for _ in client.follow(job.stream_url):
                pass
            return "warmed up with one job"
        client.list(limit=1)
        with contextlib.suppress(Refused):
            next(client.follow(f"{stack.stream_url}/jobs/none/stream"), None)
        return "the stages are cold"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description="Run one job and show it.")
    pipelines = sorted(demos())
    parser.add_argument("--pipeline", default=pipelines[0], help="a pipeline or an example; default: %(default)s")
    parser.add_argument("--log-dir", type=Path, help="keep the output of the stack's processes in this folder")
    parser.add_argument(
        "--script",
        metavar="DIRECTIVE",
        help="tell the scripted model what to do, as in 'disconnect_after=120, times=1'",
    )
    options = parser.parse_args(arguments)
    if options.pipeline not in {*pipelines, *examples()}:
        known = f"pipelines: {', '.join(pipelines)}; examples: {', '.join(examples()) or 'none'}"
        parser.error(f"there is no demo of {options.pipeline!r}; {known}")
    return options


if __name__ == "__main__":
    sys.exit(main())
