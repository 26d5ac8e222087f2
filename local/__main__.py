"""`python -m local` (`make dev`): run the local stack until Ctrl-C, and print commands to try it with."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from local.demo.dev_guide import Endpoints, script
from local.demo.pipeline import PipelineDemo, guides
from local.demo.screen import BAD, MUTED, terminal_console
from local.interrupts import accept_interrupts
from local.loopback import proxied
from local.model.choice import ModelChoice
from local.stack import ROOT, LocalStack, StackError
from local.template.intrinsics import ACCOUNT, REGION
from local.web_guard import is_origin
from shared.errors import ModelMisconfigured

_TOKEN_SECONDS = 7 * 24 * 3600
_POLL_SECONDS = 0.2


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM, and return the exit status."""
    options = _options(arguments)
    accept_interrupts()
    console = terminal_console()
    try:
        choice = ModelChoice.of_environment(os.environ, ROOT / "template.yaml")
    except ModelMisconfigured as error:
        console.print(Text(error.message, BAD), soft_wrap=True)
        return 1
    stack = LocalStack(
        options.functions,
        model_url=choice.url,
        model_api_key=choice.api_key,
        model=choice.name,
        environment=dict(options.env),
        log_dir=options.log_dir,
        api_port=options.api_port,
        stream_port=options.stream_port,
        origins=options.origin,
    )
    try:
        with contextlib.suppress(KeyboardInterrupt), stack:
            interrupted = _noting_interrupts()
            demo = guides()[options.pipeline]
            _print_guide(console, stack, choice, demo, processes=options.functions == "processes")
            while not interrupted():
                time.sleep(_POLL_SECONDS)
    except StackError as error:
        console.print(Text(str(error), BAD), soft_wrap=True)
        return 1
    return 0


def _noting_interrupts() -> Callable[[], bool]:
    """Return a function that tells whether SIGINT has arrived; it no longer raises KeyboardInterrupt.

    A wait without a timeout would miss a signal that arrives just before the main thread blocks.
    """
    arrived: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: arrived.append(number))
    return lambda: bool(arrived)


def _print_guide(
    console: Console, stack: LocalStack, choice: ModelChoice, demo: type[PipelineDemo], *, processes: bool
) -> None:
    facts = {
        "console": stack.api_url,
        "model": choice.label,
        "API": stack.api_url,
        "streams": stack.stream_url,
        "tokens": f"{stack.issuer_url}/token",
        "AWS": stack.aws_url,
    }
    at = Endpoints(
        api_url=stack.api_url,
        stream_url=stack.stream_url,
        aws_url=stack.aws_url,
        model_url=stack.model_url.removesuffix("/v1") if choice.scripted else None,
        alice=stack.token("alice", expires_in=_TOKEN_SECONDS),
        bob=stack.token("bob", expires_in=_TOKEN_SECONDS),
        state_machine_arn=f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:millrace-{demo.pipeline.name}",
        processes=processes,
        no_proxy=os.environ["NO_PROXY"] if proxied(os.environ) else None,
    )
    lines = ["# Millrace is running. Paste these lines into another terminal (bash), one by one or all at once."]
    lines += [f"# {name:<8}{value}" for name, value in facts.items()]
    for line in [*lines, "", *script(at, demo), "# Ctrl-C here stops everything."]:
        console.print(Text(line, MUTED if line.startswith("#") else ""), soft_wrap=True)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local", description="Run the local stack until Ctrl-C.")
    parser.add_argument("--functions", choices=("threads", "processes"), default="threads")
    pipelines = sorted(guides())
    parser.add_argument(
        "--pipeline", choices=pipelines, default=pipelines[0], help="whose jobs the commands create (%(default)s)"
    )
    parser.add_argument("--api-port", type=int, default=0, help="default: a free port")
    parser.add_argument("--stream-port", type=int, default=0, help="default: a free port")
    parser.add_argument(
        "--origin",
        metavar="ORIGIN",
        type=_origin,
        action="append",
        default=[],
        help="let pages of this origin call the API and the stream, such as http://localhost:5173",
    )
    parser.add_argument("--log-dir", type=Path, help="keep the output of the stack's processes in this folder")
    parser.add_argument(
        "--env",
        metavar="NAME=VALUE",
        type=_variable,
        action="append",
        default=[],
        help="override a variable of the functions",
    )
    return parser.parse_args(arguments)


def _variable(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _origin(text: str) -> str:
    if not is_origin(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an origin, such as http://localhost:5173")
    return text


if __name__ == "__main__":
    sys.exit(main())
