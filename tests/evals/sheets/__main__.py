"""`make evaluate-sheets MODEL=…`: let a model solve the sixty tasks, and say how many it has solved.

The model is called at OPENAI_BASE_URL with OPENAI_API_KEY. Without MODEL, the scripted model shows that the harness
works: its score says nothing about any AI.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout

from shared.llm.model import ChatModel
from shared.llm.openai.chat import OpenAIChatModel
from tests.evals.sheets.evaluation import SEEDS, Outcome, attempt
from tests.evals.sheets.tasks import TASKS, Task

SCRIPTED = "scripted-1"


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status: 0 if the run came to its end, whatever the score."""
    options = _options(arguments)
    tasks = [task for task in TASKS if options.only in task.id]
    with _endpoint(options.model) as (url, key):
        _say(_label(options.model, url))
        model = OpenAIChatModel(base_url=url, api_key=lambda: key, prices={})
        solved = sum(_solved(task, options.seeds, model, options.model or SCRIPTED) for task in tasks)
    _say(f"solved {solved} of {len(tasks)} tasks ({solved / max(1, len(tasks)):.1%}), {options.seeds} workbooks each")
    if options.model is None:
        _say("This was the scripted model, which is no AI: it shows that the harness works, and nothing else.")
    return 0


def _solved(task: Task, seeds: int, model: ChatModel, name: str) -> bool:
    with redirect_stdout(io.StringIO()):  # the metrics of the stages are lines there
        outcomes = [attempt(task, seed, model, name) for seed in SEEDS[:seeds]]
    _say(_line(task, outcomes))
    return all(outcome.solved for outcome in outcomes)


def _line(task: Task, outcomes: Sequence[Outcome]) -> str:
    good = sum(outcome.solved for outcome in outcomes)
    tokens = sum(outcome.tokens for outcome in outcomes)
    problem = next((f": {outcome.problem[:160]}" for outcome in outcomes if outcome.problem), "")
    verdict = "solved" if good == len(outcomes) else "failed"
    return f"{verdict} {task.id} ({good}/{len(outcomes)}, {tokens} tokens){problem}"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _label(model: str | None, url: str) -> str:
    return f"{model} at {url}" if model else "scripted model, no AI: set MODEL and OPENAI_BASE_URL for a real one"


@contextmanager
def _endpoint(model: str | None) -> Iterator[tuple[str, str]]:
    """Yield the URL and the key of the model's endpoint; without a model, start the scripted one."""
    if model is not None:
        url = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1")
        yield url, os.environ.get("OPENAI_API_KEY", "none")
        return
    command = [sys.executable, "-m", "local.model.server", "--port", "0", "--first-token-ms", "0", "--token-ms", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())["url"], "scripted"
        finally:
            server.terminate()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.evals.sheets", description="Evaluate a model on workbooks.")
    parser.add_argument("--model", help="the model's name at the endpoint; default: the scripted model")
    parser.add_argument("--only", default="", help="a part of the ids of the tasks to run")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), choices=range(1, len(SEEDS) + 1))
    options = parser.parse_args(arguments)
    options.model = options.model or None
    return options


if __name__ == "__main__":
    sys.exit(main())
