"""Every function's app.py is short, and imports `shared` and a web framework but never storage."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

import pytest

from local.template.template import Template
from shared.apps.registry import application_names
from tests.contract.function_kinds import Kind, kind_of
from tests.layout import APPS, MODULES, ROOT

FRAMEWORK = {"fastapi", "typing", "asyncio", "secrets", "datetime"}
STANDARD = sys.stdlib_module_names
LONGEST = 70


def _imported(app: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(app.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(str(node.module))
    return modules


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.parent.name)
def test_a_function_imports_only_the_product_and_the_framework(app: Path) -> None:
    for module in _imported(app):
        package = module.partition(".")[0]
        assert package == "shared" or package in FRAMEWORK, module
        assert not module.startswith("shared.storage"), f"{module}: adapters are chosen in shared.bootstrap"


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.parent.name)
def test_a_function_is_short_and_has_a_docstring(app: Path) -> None:
    text = app.read_text()
    assert len(text.splitlines()) <= LONGEST
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.parent.name)
def test_a_function_imports_shared_before_its_libraries(app: Path) -> None:
    """shared/runtime/startup.py must run before FastAPI is imported."""
    modules = [node.module or "" for node in ast.parse(app.read_text()).body if isinstance(node, ast.ImportFrom)]
    ours = [module.partition(".")[0] == "shared" for module in modules if module.partition(".")[0] not in STANDARD]
    assert ours == sorted(ours, reverse=True), modules


# ---- what is loaded ------------------------------------------------------------------------------------------------

NEVER = {
    "cryptography",
    "jwt",
    "openai",
    "httpx2",
    "sentry_sdk",
    "pydantic_settings",
    "rich",
    "email_validator",
}
WEB = {"fastapi", "starlette", "mangum", "uvicorn", "anyio", "h11", "click", "shared.web"}
ADAPTERS = {"shared.llm.openai.chat", "shared.llm.openai.responses"}
SERVERS = {"uvicorn", "click", "h11"}
NOT_YET = {"boto3", "botocore", "aws_lambda_powertools", "urllib3"}
"""The modules that a function uses only when it is invoked, or when SnapStart takes a snapshot."""

FORBIDDEN: dict[Kind, set[str]] = {
    "api": NEVER | NOT_YET | SERVERS | ADAPTERS | {"shared.stages.runner", "shared.apps.suggestions.stages"},
    "stage": NEVER
    | NOT_YET
    | WEB
    | ADAPTERS
    | {"shared.jobs.creation", "shared.identity.tickets", "shared.runs.deletion"},
    "model stage": NEVER | NOT_YET | WEB | ADAPTERS | {"shared.jobs.creation", "shared.jobs.sweep"},
    "channel": NEVER | NOT_YET | WEB | ADAPTERS | {"shared.jobs.creation", "shared.stages.runner"},
    # uvicorn starts the app and imports it.
    "stream": NEVER | NOT_YET | ADAPTERS | {"shared.jobs.resumption", "shared.jobs.sweep"},
}
"""Kind of function → modules that its import must not load: it never uses them, or only when invoked."""

UNUSED: dict[str, set[str]] = {
    "get_job": {"shared.jobs.ending"},
    "list_jobs": {"shared.jobs.ending"},
    "get_ideation": {"shared.jobs.ending"},
    "list_ideations": {"shared.jobs.ending"},
    "get_agent": {"shared.log.event_log", "shared.web.jobs"},
    "list_agents": {"shared.log.event_log", "shared.web.jobs"},
    "delete_agent": {"shared.log.event_log", "shared.web.jobs"},
    "delete_ideation": {"shared.log.event_log", "shared.web.jobs", "shared.web.runs"},
}
"""Function → further modules that its import must not load: wire models and services of other operations."""

FORBIDDEN_IN_A_SNAPSHOT = FORBIDDEN["api"] - NOT_YET - {"shared.stages.runner"}

READS_EVERY_INPUT = {"create_job"}
"""Functions whose request can be any application's input: they import all applications."""

IN_COMMON: dict[Kind, str] = {
    "api": "shared.bootstrap, shared.web.app",
    "stage": "shared.bootstrap",
    "model stage": "shared.bootstrap",
    "channel": "shared.bootstrap",
    "stream": "shared.bootstrap",
}
"""Kind of function → modules that all of them import: one process imports them and forks the others."""

TEMPLATE = Template(
    ROOT / "template.yaml",
    parameters={"OidcIssuer": "https://issuer.example.com", "OidcAudience": "millrace"},
    attributes={"StreamJobFunctionUrl.FunctionUrl": "https://stream.example.com/"},
)
KINDS: dict[str, Kind] = {function.folder: kind_of(function, TEMPLATE) for function in TEMPLATE.functions}
VARIABLES = {function.folder: {**function.environment} for function in TEMPLATE.functions}
CREDENTIALS = {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}

LOADED = f"""
importlib.import_module({MODULES!r}[name])
return json.dumps([*sys.modules])
"""
"""The body of a function of `name`, which imports a function and returns the modules that are loaded then."""

SNAPSHOT = f"""
os.environ |= {VARIABLES!r}[name] | {CREDENTIALS!r}
import botocore.httpsession
from awslambdaric import lambda_runtime_hooks_runner as runner
asked = []
botocore.httpsession.URLLib3Session.send = lambda self, request: asked.append(request.url)
direct_requests = importlib.import_module("shared.storage.direct_requests")
direct_requests.Connections.post = lambda self, *request: asked.append(self.host)
printed = io.StringIO()
with contextlib.redirect_stdout(printed):
    runner.run_before_snapshot()
made = importlib.import_module("shared.storage.aws").client.cache_info().currsize
runner.run_after_restore()
if asked or printed.getvalue():
    return f"before there is a request, it asks for {{asked}} and prints {{printed.getvalue()!r}}"
if made != 4:
    return f"its snapshot has {{made}} clients"
loaded = sorted({FORBIDDEN_IN_A_SNAPSHOT!r} & sys.modules.keys())
return f"it loads {{loaded}}" if loaded else ""
"""
"""The body of a function of `name`, which is imported: run its hooks with Lambda's runtime; return what is wrong."""


def _in_forks(names: list[str], kind: Kind) -> dict[str, list[str]]:
    """Return function → the results of LOADED and, for functions of the API, of SNAPSHOT.

    Each runs in a fork of one process without one variable of ours. Its imports see nothing of the libraries that
    snapshots need, which the one process has imported as well.
    """
    of_snapshots = kind == "api"
    program = f"""
import importlib, io, contextlib, json, os, sys, traceback
import snapshot_restore_py, {IN_COMMON[kind]}
def loaded(name):
{textwrap.indent(LOADED, "    ")}
def wrong_in_a_snapshot(name):
{textwrap.indent(SNAPSHOT, "    ")}
parts = [loaded, wrong_in_a_snapshot] if {of_snapshots} else [loaded]
seen = {{*sys.modules, *sys.stdlib_module_names}}
if {of_snapshots}:
    import botocore.session, botocore.httpsession, awslambdaric.lambda_runtime_hooks_runner
hidden = {{name: sys.modules.pop(name) for name in [*sys.modules] if not {{name, name.partition(".")[0]}} & seen}}
for name in sys.argv[1:]:
    if os.fork() == 0:
        results = []
        for part in parts:
            try:
                results.append(part(name))
            except BaseException:
                results.append(traceback.format_exc())
            sys.modules.update(hidden)
        print(json.dumps([name, results]), flush=True)
        os._exit(0)
    os.wait()
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *names], check=False, cwd=ROOT, env={"PATH": ""}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest) -> dict[str, list[str]]:
    """The results of the functions that this run tests: `-k` may choose one of them, and each takes half a second."""
    tests = [each for each in request.session.items if isinstance(each, pytest.Function) and hasattr(each, "callspec")]
    chosen = {str(each.callspec.params["function"]) for each in tests if "function" in each.callspec.params}
    found: dict[str, list[str]] = {}
    for kind in FORBIDDEN:
        found |= _in_forks([name for name, each in KINDS.items() if each == kind and name in chosen], kind)
    return found


def _loaded(results: dict[str, list[str]], function: str) -> set[str]:
    """Return the modules that are loaded after the function's import."""
    [loaded, *_] = results.get(function, ["its process died"])
    assert loaded.startswith("["), loaded
    return set(json.loads(loaded))


@pytest.mark.parametrize("function", MODULES)
def test_the_import_of_a_function_reads_no_environment_and_loads_no_unused_module(
    results: dict[str, list[str]], function: str
) -> None:
    """Import needs no AWS, no model, no settings."""
    loaded = _loaded(results, function)
    assert not loaded & (FORBIDDEN[KINDS[function]] | UNUSED.get(function, set()))


@pytest.mark.parametrize("function", MODULES)
def test_the_import_of_a_function_loads_only_its_own_applications_code(
    results: dict[str, list[str]], function: str
) -> None:
    loaded = _loaded(results, function)
    group = MODULES[function].split(".")[1]
    own = set(application_names()) if function in READS_EVERY_INPUT else {group} & set(application_names())
    assert _applications_among(loaded) == own


WITHOUT = {
    "shared.web.server": {"click", "uvicorn.main", "uvicorn.supervisors"},
    "shared.identity.tokens, jwt": {"cryptography.x509.base", "cryptography.x509.name"},
}
"""Modules → modules that importing them must not load, although their packages would (shared/packages.py)."""


@pytest.mark.parametrize("modules", WITHOUT)
def test_a_package_with_a_postponed_init_loads_no_unused_module(modules: str) -> None:
    program = f"import sys, {modules}; print(*{WITHOUT[modules]!r} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], check=False, cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("\n", "")


def _applications_among(modules: Iterable[str]) -> set[str]:
    """Return the applications of which more is loaded than the package, which only declares names of pipelines."""
    parts = [module.split(".") for module in modules if module.startswith("shared.apps.")]
    return {names[2] for names in parts if len(names) > 3}


@pytest.mark.parametrize("function", [name for name, kind in KINDS.items() if kind == "api"])
def test_a_snapshot_is_warm_and_its_hooks_send_no_request(results: dict[str, list[str]], function: str) -> None:
    [*_, wrong] = results.get(function, ["its process died"])
    assert not wrong, wrong


# ---- the map ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.parent.name)
def test_a_function_is_on_the_map_of_the_readme_or_of_its_applications(app: Path) -> None:
    group = app.relative_to(ROOT / "functions").parts[0]
    application = ROOT / "shared/apps" / group / "README.md"
    page = application if application.is_file() else ROOT / "README.md"
    link = f"[{app.parent.name}]({os.path.relpath(app, page.parent)})"
    assert link in page.read_text()
