"""`make eval-brain MODEL=…`: let a model decide the 150 cases, and say how often it decides as they are labelled.

The model is called at OPENAI_BASE_URL with OPENAI_API_KEY. Without MODEL, the scripted model shows that the harness
works: its score says nothing about any AI. A recorded run can be scored again without a network.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

from shared.llm.model import ChatModel
from shared.llm.openai.chat import OpenAIChatModel
from tests.apps.video.scripted_model import ScriptedVideoModel
from tests.evals.brain.cases import Case, cases, second_labels
from tests.evals.brain.cassette import RecordingModel, ReplayingModel
from tests.evals.brain.evaluation import Decided, Figures, Score, decide, figures_of, kappa

SCRIPTED = "scripted-1"


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status: 1 if the share of right tools is below the target."""
    options = _options(arguments)
    chosen = [case for case in cases(options.set) if options.only in case.id]
    _say(_label(options))
    model = _model(options)
    runs = [_run(chosen, model, options.model or SCRIPTED) for _ in range(options.runs)]
    if isinstance(model, RecordingModel):
        model.save(options.record)
    figures = figures_of(runs[0])
    for line in (*_table(figures), *_about(runs)):
        _say(line)
    if options.keep is not None:
        options.keep.write_text(json.dumps(_kept(figures, runs[0], options.model or SCRIPTED), indent=1) + "\n")
    if options.model is None and options.replay is None:
        _say("This was the scripted model, which is no AI: it shows that the harness works, and nothing else.")
    return 0 if figures.tools.share >= options.target else 1


def _run(chosen: Sequence[Case], model: ChatModel, name: str) -> list[Decided]:
    decided = []
    for case in chosen:
        with redirect_stdout(io.StringIO()):  # the metrics of the stage are lines there
            found = decide(case, model, name)
        decided.append(found)
        if not found.right or found.targets_right is False or found.arguments_right is False:
            _say(_miss(found))
    return decided


def _miss(found: Decided) -> str:
    wanted = f"{found.case.tool} {list(found.case.targets) or ''}"
    return (
        f"{found.case.id}: {found.tool} {list(found.targets) or ''}, not {wanted} ({found.source}) “{found.case.text}”"
    )


def _table(figures: Figures) -> list[str]:
    lines = [
        f"tool        {_shown(figures.tools)}",
        f"targets     {_shown(figures.targets)}",
        f"arguments   {_shown(figures.arguments)}",
        f"hard cases  {_shown(figures.hard)}",
        f"rules       {_shown(figures.rules)}: precision, with targets and arguments",
        "",
        f"{'':20}{'precision':>12}{'recall':>12}",
    ]
    for tool, (precision, recall) in figures.by_tool.items():
        lines.append(f"{tool:20}{precision.share:12.0%}{recall.share:12.0%}")
    lines += ["", f"expected calibration error of the model's decisions: {figures.calibration_error:.3f}"]
    for mean, score in figures.calibration:
        lines.append(f"  said {mean:.2f}, right {score.share:.2f} of {score.of}")
    return lines


def _about(runs: Sequence[Sequence[Decided]]) -> list[str]:
    first = runs[0]
    by_rule = sum(each.source == "rule" for each in first)
    lines = [f"decided by rules: {by_rule} of {len(first)}; model tokens: {sum(each.tokens for each in first)}"]
    if len(runs) > 1:
        flips = sum(len({each.tool for each in same}) > 1 for same in zip(*runs, strict=True))
        lines.append(f"decided differently in {len(runs)} runs: {flips} of {len(first)}")
    all_cases = cases()
    second = second_labels()
    agreement = kappa([each.tool for each in all_cases], [second[each.id] for each in all_cases])
    return [*lines, f"agreement of the two passes of labels: κ = {agreement:.3f}"]


def _shown(score: Score) -> str:
    low, high = score.interval
    return f"{score.right:3} of {score.of:3}, {score.share:6.1%} (95 %: {low:.1%} to {high:.1%})"


def _kept(figures: Figures, decided: Sequence[Decided], model: str) -> dict[str, object]:
    return {
        "model": model,
        "right": figures.tools.right,
        "of": figures.tools.of,
        "calibrationError": round(figures.calibration_error, 4),
        "decisions": {each.case.id: [each.tool, list(each.targets), each.source, each.confidence] for each in decided},
    }


def _model(options: argparse.Namespace) -> ChatModel:
    if options.replay is not None:
        return ReplayingModel(options.replay)
    if options.model is None:
        return ScriptedVideoModel()
    url = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1")
    key = os.environ.get("OPENAI_API_KEY", "none")
    real = OpenAIChatModel(base_url=url, api_key=lambda: key, prices={})
    return real if options.record is None else RecordingModel(real)


def _label(options: argparse.Namespace) -> str:
    if options.replay is not None:
        return f"a recorded run: {options.replay}"
    return options.model or "scripted model, no AI: set MODEL and OPENAI_BASE_URL for a real one"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.evals.brain", description="Evaluate decisions of a model.")
    parser.add_argument("--model", help="the model's name at the endpoint; default: the scripted model")
    parser.add_argument("--set", choices=("dev", "heldout", "all"), default="all")
    parser.add_argument("--only", default="", help="a part of the ids of the cases to run")
    parser.add_argument("--runs", type=int, default=1, help="how often to decide all cases")
    parser.add_argument("--target", type=float, default=0.0, help="exit with 1 below this share of right tools")
    parser.add_argument("--record", type=Path, help="keep what the model writes in this file")
    parser.add_argument("--replay", type=Path, help="score a recorded run; no model is called")
    parser.add_argument("--keep", type=Path, help="write the figures and decisions as JSON to this file")
    options = parser.parse_args(arguments)
    options.model = options.model or None
    return options


if __name__ == "__main__":
    sys.exit(main())
