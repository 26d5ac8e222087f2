"""`make demo` in an empty environment; each application's own output is tested in `tests/apps/<app>/test_demo.py`.

The stacks are forks, which start in a fifth of the time, except in the copies of an example. `tests/apps/suggestions`
and `tests/local/test_dev_guide.py` have a demo and a `make dev` that start all of their processes themselves.
"""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

from local.model.control import ModelControl
from tests.local.command import DEAD_PROXIES, ROOT, Command, left_in
from tests.local.http_proxy import HttpProxy
from tests.stack_forks import StackForks

DEMO = [sys.executable, "-m", "local.demo", "--pipeline", "suggestion"]
MODEL = [sys.executable, "-m", "local.model.server", "--port", "0"]


def test_a_failed_job_comes_with_its_code_and_advice(stack_forks: StackForks) -> None:
    with Command([*DEMO, "--script", "status=401"], forks=stack_forks) as demo:
        output = demo.run()
        assert demo.status == 1
        assert "The job failed: MODEL_REJECTED_REQUEST" in output
        assert re.search(r"^try +make demo", output, re.MULTILINE)
        assert demo.processes() == []


def test_ctrl_c_cancels_the_job_and_stops_everything_also_in_the_background(stack_forks: StackForks) -> None:
    with Command([*DEMO, "--script", "token_ms=500"], background=True, forks=stack_forks) as demo:
        demo.read_until("stage  ")
        assert len(demo.processes()) >= 5
        demo.interrupt()
        output = demo.run()
        assert demo.status == 128 + signal.SIGINT, output
        assert re.search(r"cancelled +job_\w+", output)
        assert "stage  2" not in output, "the job did not run to its end"
        assert demo.processes() == []


def test_it_calls_the_model_that_the_environment_names_through_its_proxy(stack_forks: StackForks) -> None:
    with Command(MODEL) as server:
        url = re.findall(r'"url": "([^"]+)"', server.read_until("model"))[0]
        with HttpProxy({"model.example": url}) as proxy, ModelControl(url) as model:
            environment = {"OPENAI_BASE_URL": "http://model.example/v1", "OPENAI_MODEL": "my-model"}
            with Command(DEMO, {**environment, "http_proxy": proxy.url}, forks=stack_forks) as demo:
                output = demo.run()
            assert demo.status == 0, output
            assert "my-model at model.example/v1, without a key" in output.replace("\n            ", " ")
            assert "unknown for my-model" in output
            assert [request["model"] for request in model.requests()] == ["my-model"]
        assert proxy.requests == ["POST http://model.example/v1/chat/completions"]


def test_it_installs_an_example_in_a_copy_that_it_removes(tmp_path: Path) -> None:
    """In the background, behind a proxy that refuses every connection, in a folder with a space in its name."""
    folder = tmp_path / "with a space"
    folder.mkdir()
    before = set((ROOT / "shared/apps").iterdir())
    environment = {**DEAD_PROXIES, "TMPDIR": str(folder)}
    command = [sys.executable, "-m", "local.demo", "--pipeline", "research"]
    with Command(command, environment, background=True) as demo:
        output = demo.run()
        assert demo.status == 0, output
        assert re.search(r"tool +Read flood_diary-2", output)
        assert re.search(r"finding +2: ", output)
        assert re.search(r"model tokens +\d+ in, \d+ out \(scripted-1\)\nmodel price +free: scripted", output)
        assert re.search(r"DynamoDB +[\d.]+ write units, [\d.]+ read units\nStep Functions +\d+ state trans", output)
        assert re.search(r"first text +\d+ ms.*\nin all +[\d.]+ s", output)
        assert demo.processes() == []
    assert left_in(folder) == []
    assert set((ROOT / "shared/apps").iterdir()) == before


def test_ctrl_c_stops_the_demo_of_an_example_and_removes_its_copy(tmp_path: Path) -> None:
    with Command([sys.executable, "-m", "local.demo", "--pipeline", "research"], {"TMPDIR": str(tmp_path)}) as demo:
        demo.read_until("model  ")
        assert left_in(tmp_path) != []
        demo.interrupt()
        output = demo.run()
        assert demo.status == 128 + signal.SIGINT, output
        assert demo.processes() == []
    assert left_in(tmp_path) == []


def test_an_unknown_pipeline_is_refused_with_those_that_exist() -> None:
    with Command([sys.executable, "-m", "local.demo", "--pipeline", "sonnet"]) as demo:
        output = demo.run()
        assert demo.status == 2
        assert "there is no demo of 'sonnet'; pipelines: ideation, render, sheet, suggestion, video; " in output
        assert "; examples: research" in output
