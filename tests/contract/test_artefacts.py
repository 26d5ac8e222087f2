"""Every function that `make build` built handles its events under Lambda's runtime emulator.

Each function has its own role, and the local AWS allows only what the role's policy in the template allows.
"""

from __future__ import annotations

import base64
import functools
import os
import re
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.template.template import Template
from shared.apps.video.rendering.layer import LAYER
from tests import layout
from tests.contract.answers import (
    AGENT,
    JOB,
    Place,
    a_job,
    after,
    an_agent,
    answers,
    ask,
    create,
    data,
    function_of,
)
from tests.contract.build_output import (
    BUILD,
    LAYERS,
    RENDER_LAYER,
    SHEETS_LAYER,
    VIDEO_LAYER,
    WANTED,
    bundle_missing,
    event,
    paths_of,
    require,
)
from tests.contract.emulator import Emulator
from tests.layout import ROOT

UNZIPPED_LIMIT = 250 * 1024 * 1024  # bytes of a function and its layers; Lambda's quota
ABREAST = 2  # events at the same time: each starts its function, which takes a second of CPU

TEMPLATE = Template(
    ROOT / "template.yaml",
    parameters={"OidcIssuer": "https://issuer.example.com", "OidcAudience": "millrace"},
    attributes={"StreamJobFunctionUrl.FunctionUrl": "https://stream.example.com/"},
)
# A function with a URL is a web server behind an adapter: test_stream_artefact.py invokes it.
FUNCTIONS = [function.folder for function in TEMPLATE.functions if not function.has_url]


EVENTS = [name for name in layout.EVENT_FILES if function_of(name) in FUNCTIONS]


pytestmark = pytest.mark.usefixtures("built")


def answered(emulator: Emulator, name: str) -> tuple[Any, Place]:
    place = answers()[name][0](emulator)
    return ask(emulator, name, place), place


@pytest.fixture(scope="module")
def answered_events(emulator: Emulator, request: pytest.FixtureRequest) -> dict[str, Future[tuple[Any, Place]]]:
    """Send all events, a few at the same time, and return their responses.

    No thread continues during the tests: pytest changes the environment between them, which a thread may be reading.
    """
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    wanted = {
        item.callspec.params["name"]
        for item in items
        if item.function is test_the_built_function_returns_the_response_to_its_event
        and item.callspec.params["name"] in answers()
    }
    with ThreadPoolExecutor(ABREAST) as pool:
        return {name: pool.submit(answered, emulator, name) for name in sorted(wanted)}


@pytest.mark.parametrize("name", EVENTS)
def test_the_built_function_returns_the_response_to_its_event(
    answered_events: dict[str, Future[tuple[Any, Place]]], name: str
) -> None:
    assert name in answers(), f"say in ANSWERS of tests/apps/<app>/artefacts.py what {name}.json needs and gets"

    answer, place = answered_events[name].result()

    answers()[name][1](answer, place)


def test_every_function_has_an_event_and_every_response_belongs_to_one() -> None:
    assert {function_of(name) for name in EVENTS} == set(FUNCTIONS)
    assert answers().keys() <= set(EVENTS)


# ---- from creation to completion -------------------------------------------------------------------------------------


def test_a_job_uses_the_version_of_its_agent_with_which_it_was_created(emulator: Emulator) -> None:
    place = an_agent(emulator)
    place[JOB] = create(emulator, "create_job.valid", agentId=place[AGENT])["jobId"]
    data(ask(emulator, "update_agent.valid", place))
    data(ask(emulator, "delete_agent.valid", place))

    after(emulator, place, ("generate_suggestions", "validate_suggestions"))

    assert data(ask(emulator, "get_job.valid", place))["agent"] == {"agentId": place[AGENT], "version": 1}
    assert ask(emulator, "get_agent.valid", place)["statusCode"] == 404


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("record_failure.model_rate_limited", "MODEL_RATE_LIMITED"),
        ("record_failure.invalid_model_output", "INVALID_MODEL_OUTPUT"),
        ("record_failure.stage_timeout", "STAGE_TIMEOUT"),
    ],
)
def test_record_failure_stores_the_code_of_the_failure(emulator: Emulator, name: str, code: str) -> None:
    place = a_job(emulator)

    ask(emulator, name, place)

    job = data(ask(emulator, "get_job.valid", place))
    assert (job["status"], job["failure"]["code"]) == ("failed", code)


def test_a_failed_function_reports_the_class_name_that_the_state_machine_compares(emulator: Emulator) -> None:
    assert ask(emulator, "complete_job.first_attempt")["errorType"] == "JobEnded"


# ---- what was built --------------------------------------------------------------------------------------------------


def test_every_built_module_is_compiled() -> None:
    for source in [*LAYERS[1].rglob("*.py"), *BUILD.glob("*Function/*.py")]:
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
        assert compiled.exists(), f"{source} is not compiled"
        # An unchecked hash: a file's date, which packaging changes, must not make Python compile again (PEP 552).
        assert int.from_bytes(compiled.read_bytes()[4:8], "little") == 0b01


@functools.cache
def size_of_layer(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*"))


def size_of(*folders: Path) -> int:
    """Return how many bytes Lambda counts: those of the whole layer, whose packages are only one of its folders."""
    whole = {folder.parent if folder.name == "python" else folder for folder in folders}
    return sum(size_of_layer(folder) for folder in whole)


def test_each_function_with_its_layers_is_within_the_quota_and_does_not_contain_boto3() -> None:
    assert not (LAYERS[0] / "boto3").exists()
    for function in TEMPLATE.functions:
        assert size_of(*paths_of(function)) < UNZIPPED_LIMIT, function.name
    for layer in (SHEETS_LAYER, VIDEO_LAYER, RENDER_LAYER):
        assert size_of(*LAYERS, layer) < UNZIPPED_LIMIT, layer.name


def test_the_layer_of_rendering_has_the_browser_where_it_is_looked_for() -> None:
    packed = {path.name for path in (RENDER_LAYER / LAYER.name).iterdir()}
    assert packed >= {"chromium.br", "al2023.tar.br", "fonts.tar.br", "fonts"}
    assert (RENDER_LAYER / "python" / "av").is_dir()


def test_the_layer_of_video_has_the_compiler_where_it_is_looked_for() -> None:
    program = VIDEO_LAYER / "bin" / "deno"
    assert os.access(program, os.X_OK)
    assert not list(VIDEO_LAYER.glob("*.data"))


def test_the_built_console_serves_its_bundle_to_a_first_visit(emulator: Emulator) -> None:
    require(bundle_missing(), wanted=WANTED)

    def fetched(path: str) -> str:
        asked = event("console.root") | {"rawPath": path, "headers": {}}
        asked["requestContext"]["http"]["path"] = path
        response = emulator.invoke("console", asked)
        assert response["statusCode"] == 200, path
        body = str(response["body"])
        return base64.b64decode(body).decode() if response["isBase64Encoded"] else body

    page = fetched("/")
    files = re.findall(r'(?:src|href)="(/console/static/[0-9a-f]{16}/([^"]+))"', page)

    assert {name for _, name in files} == {"icon.svg", "bundle/main.js", "bundle/style.css"}
    for path, _ in files:
        fetched(path)
    assert "export class Millrace" in fetched("/console/static/millrace.js")
