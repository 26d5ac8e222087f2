"""`make demo` as a newcomer runs it: a process with nothing in its environment."""

from __future__ import annotations

import re
import signal
import sys

import pytest

from local.model.control import ModelControl
from tests.local.command import DEAD_PROXIES, Command
from tests.local.http_proxy import HttpProxy

DEMO = [sys.executable, "-m", "local.demo", "--pipeline", "suggestion"]
MODEL = [sys.executable, "-m", "local.model.server", "--port", "0"]
CONTROL_CHARACTERS = re.compile(r"[^\n -~\u00a0-\U0010ffff]")


def test_shows_the_suggestions_and_what_they_cost_and_leaves_nothing_behind() -> None:
    with Command(DEMO) as demo:
        output = demo.run()
        assert demo.status == 0, output
        assert "scripted local model" in output
        assert re.search(r"202 +job_\w+ accepted in \d+ ms", output)
        assert re.search(
            r"stage +1 of 2: generate suggestions\n(.*%.*\n)+.*stage +2 of 2: validate suggestions", output
        )
        assert re.findall(r"^╭─  (\d)  ", output, re.MULTILINE) == ["1", "2", "3"]
        assert re.search(r"model tokens +\d+ in, \d+ out \(scripted-1\)\nmodel price +free: scripted", output)
        assert re.search(r"DynamoDB +[\d.]+ write units, [\d.]+ read units\nStep Functions +3 state trans", output)
        assert re.search(r"first text +\d+ ms.*\nin all +[\d.]+ s", output)
        assert CONTROL_CHARACTERS.findall(output) == []
        assert not re.search(r" $", output, re.MULTILINE)
        assert demo.processes() == []


def test_shows_a_brainstorming_run_from_two_processes_and_comes_back_to_it_when_its_job_is_gone() -> None:
    with Command([*DEMO[:-1], "ideation", "--script", "first_token_ms=0, token_ms=1"]) as demo:
        output = demo.run()
        assert demo.status == 0, output
        assert re.findall(r"idea +(\d+) of 10: Cozy", output) == [str(number) for number in range(1, 11)]
        assert re.search(r"10 of 10: Cozy 5/5, Oceans 3/3, History 2/2", output)
        assert re.search(r"joined +a second process begins to watch after 5 ideas", output)
        told = " ".join(output.split())
        assert re.search(r"received the same \d+ events in the same order: \d+ stored, [1-9]\d* live", told)
        assert re.search(r"run http://\S+/ideations/run_\w+ its job has expired", told)
        assert "the run stays completed, with 10 ideas: Cozy 5, Oceans 3, History 2" in told
        assert CONTROL_CHARACTERS.findall(output) == []
        assert demo.processes() == []


def test_needs_no_proxy_to_reach_this_machine() -> None:
    with Command([*DEMO[:-1], "ideation", "--script", "first_token_ms=0, token_ms=1"], DEAD_PROXIES) as demo:
        output = demo.run()
        assert demo.status == 0, output
        assert "10 ideas" in output
        assert demo.processes() == []


def test_shows_a_retry_in_plain_ascii_without_control_characters_whatever_the_environment_says_of_colours() -> None:
    command = [*DEMO, "--script", "disconnect_after=60, times=1"]
    with Command(command, {"FORCE_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "ascii"}) as demo:
        output = demo.run()
        assert demo.status == 0, output
        assert re.search(r"retry +attempt 2: .*", output)
        assert re.search(r"^.{2}  3  ", output, re.MULTILINE)
        assert CONTROL_CHARACTERS.findall(output) == []
        assert demo.processes() == []


def test_says_what_failed_and_what_to_try() -> None:
    with Command([*DEMO, "--script", "status=401"]) as demo:
        output = demo.run()
        assert demo.status == 1
        assert "The job failed: MODEL_REJECTED_REQUEST" in output
        assert re.search(r"^try +make demo", output, re.MULTILINE)
        assert demo.processes() == []


@pytest.mark.parametrize("background", [False, True])
def test_ctrl_c_cancels_the_job_and_stops_everything(background: bool) -> None:
    with Command([*DEMO, "--script", "token_ms=500"], background=background) as demo:
        demo.read_until("stage  ")
        assert len(demo.processes()) >= 5
        demo.interrupt()
        output = demo.run()
        assert demo.status == 128 + signal.SIGINT, output
        assert re.search(r"cancelled +job_\w+", output)
        assert "stage  2" not in output, "the job did not run to its end"
        assert demo.processes() == []


def test_uses_the_endpoint_that_the_environment_names() -> None:
    with Command(MODEL) as server:
        url = re.findall(r'"url": "([^"]+)"', server.read_until("model"))[0]
        with Command(DEMO, {"OPENAI_BASE_URL": url, "OPENAI_MODEL": "my-model"}) as demo, ModelControl(url) as model:
            output = demo.run()
            assert demo.status == 0, output
            assert f"my-model at {url.removeprefix('http://')}, without a key" in output.replace("\n            ", " ")
            assert "unknown for my-model" in output
            assert [request["model"] for request in model.requests()] == ["my-model"]


def test_reaches_a_real_model_through_the_proxy_that_the_environment_names() -> None:
    with Command(MODEL) as server:
        url = re.findall(r'"url": "([^"]+)"', server.read_until("model"))[0]
        with HttpProxy({"model.example": url}) as proxy:
            environment = {"OPENAI_BASE_URL": "http://model.example/v1", "http_proxy": proxy.url}
            with Command(DEMO, environment) as demo:
                output = demo.run()
        assert demo.status == 0, output
        assert proxy.requests == ["POST http://model.example/v1/chat/completions"]
