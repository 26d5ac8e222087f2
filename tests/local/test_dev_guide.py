"""`make dev` prints commands: these tests run them in bash, as a reader does, where the environment names a proxy."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from local.demo.dev_guide import Endpoints, script
from local.demo.pipeline import guides
from tests.local.command import DEAD_PROXIES, ROOT, Command
from tests.patience import PATIENCE
from tests.stack_forks import StackForks

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the guide's commands need curl")

EXPECTED = {
    "paste this first": [],
    "create": ["202"],
    "stream": ["200"],
    "the same from": ["200"],
    "status": ["200"],
    "list": ["200", "200"],
    "ticket": ["201", "200"],
    "another user's job": ["403"],
    "six streams": ["202", "200", "200", "200", "200", "200", "429"],
    "cancel": ["200"],
    "eleven creations": ["202"] * 10 + ["429"],
    "the model disconnects once": ["202", "200"],
    "the same without a prompt": ["200", "200", "200"],
}


@pytest.fixture(scope="module")
def dev() -> Iterator[Command]:
    arguments = ["--pipeline", "suggestion", "--env", "STREAM_WINDOW_SECONDS=30"]
    with Command([sys.executable, "-m", "local", *arguments], DEAD_PROXIES) as command:
        command.read_until("Ctrl-C here")
        yield command


@pytest.fixture(scope="module")
def printed(dev: Command) -> str:
    return dev.read_until("Ctrl-C here")


@pytest.fixture(scope="module")
def statuses(printed: str) -> dict[str, list[str]]:
    """Title of each section that EXPECTED names → the HTTP statuses that its commands printed."""
    sections = re.findall(r"^# ---- (.*)\n((?:.+\n)*)", printed, re.MULTILINE)
    wanted = [(key, commands) for title, commands in sections if (key := _key(title)) is not None]
    bash = "".join(f"echo '== {key.replace(chr(39), '')}' >&2\n{commands}" for key, commands in wanted)
    ran = subprocess.run(
        ["bash", "-c", bash],
        cwd=ROOT,
        env={**os.environ, **DEAD_PROXIES},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=2 * PATIENCE,
    )
    shown = dict(re.findall(r"^== (.*)\n((?:(?!== ).*\n)*)", ran.stdout, re.MULTILINE))
    return {key: re.findall(r"^(?:\w+ \d+: )?(\d{3})$", shown[key.replace("'", "")], re.MULTILINE) for key, _ in wanted}


def _key(title: str) -> str | None:
    return next((key for key in EXPECTED if title.startswith(key)), None)


@pytest.mark.parametrize("section", EXPECTED)
def test_the_statuses_of_commands_are_those_of_their_title(statuses: dict[str, list[str]], section: str) -> None:
    assert sorted(statuses[section]) == sorted(EXPECTED[section])


def test_every_printed_line_is_bash(printed: str) -> None:
    assert subprocess.run(["bash", "-n"], input=printed, text=True, check=False).returncode == 0
    assert "\x1b" not in printed


@pytest.mark.parametrize("pipeline", sorted(guides()))
@pytest.mark.parametrize("model_url", [None, "http://127.0.0.1:3"])
def test_the_guide_of_a_stack_with_processes_is_bash_and_kills_stages(model_url: str | None, pipeline: str) -> None:
    at = Endpoints(
        api_url="http://127.0.0.1:1",
        stream_url="http://127.0.0.1:2",
        aws_url="http://127.0.0.1:4",
        model_url=model_url,
        alice="alice",
        bob="bob",
        state_machine_arn="arn",
        processes=True,
    )
    demo = guides()[pipeline]
    lines = "\n".join(script(at, demo))
    assert subprocess.run(["bash", "-n"], input=lines, text=True, check=False).returncode == 0
    assert "kill -9 $(curl" in lines
    assert all(stage in lines for stage in demo.pipeline.stages)
    assert f'"$API{demo.path}"' in lines
    assert ("/_script" in lines) == (model_url is not None)


def test_boto3_lists_the_executions_with_the_printed_variables(printed: str, statuses: dict[str, list[str]]) -> None:
    commands = re.findall(r"^(?:export AWS_.*|\.venv/bin/python .*)$", printed, re.MULTILINE)
    bash = "\n".join(commands).replace(".venv/bin/python", shlex.quote(sys.executable))
    ran = subprocess.run(["bash", "-c", bash], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "'SUCCEEDED'" in ran.stdout


def test_ctrl_c_stops_the_stack_with_status_0_and_no_process_is_left(stack_forks: StackForks) -> None:
    with Command([sys.executable, "-m", "local"], forks=stack_forks) as own:
        own.read_until("Ctrl-C here")
        own.interrupt()
        output = own.run()
        assert own.status == 0, output
        assert own.processes() == []


def test_a_port_in_use_is_an_error_of_one_line(printed: str) -> None:
    port = re.findall(r"export API=http://127.0.0.1:(\d+)", printed)[0]
    with Command([sys.executable, "-m", "local", "--api-port", port]) as second:
        assert re.fullmatch(rf"port {port} is not available: Address already in use\n", second.run())
        assert second.status == 1


def test_a_misspelt_variable_is_an_error(stack_forks: StackForks) -> None:
    command = [sys.executable, "-m", "local", "--env", "JOB_CREATION=3"]
    with Command(command, forks=stack_forks) as second:
        assert "no function of the template has the variable JOB_CREATION" in second.run()
        assert second.status == 1
