"""The package `millrace-client`: its wheel has everything that it imports, and its types hold for who installs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.code_blocks import program_of

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "clients/python"

USAGE = """
import asyncio

from millrace_client import AsyncMillrace, JobView, Millrace, models


def title(api: str, token: str) -> str:
    with Millrace(api, token) as millrace:
        watch = millrace.start_job("suggestion", {"pageOrComponent": "Checkout"})
        for event in watch:
            print(event.id, event.event.type)
        view: JobView = watch.view
        jobs: list[models.JobSummary] = [job for page in millrace.pages(millrace.list_jobs) for job in page.jobs]
        return f"{view.text} {jobs[0].job_id}"


async def follow(job_id: str) -> None:
    async def token(stale: str | None) -> str:
        return stale or "token"

    async with AsyncMillrace("https://api.example.com", token) as millrace:
        async for event in millrace.watch(job_id):
            print(event.id)
        async for page in millrace.pages(millrace.list_jobs, status="failed"):
            print(len(page.jobs))


print(sorted(name for name in vars(models) if name == "JobDetail"), asyncio.iscoroutinefunction(follow))
"""
MISUSE = """
from millrace_client import Millrace

with Millrace("https://api.example.com", "token") as millrace:
    millrace.get_job(7).nope
"""


def _run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    its_cache = {name: os.environ[name] for name in ("HOME", "XDG_CACHE_HOME", "UV_CACHE_DIR") if name in os.environ}
    environment = {**its_cache, "PATH": "/usr/bin:/bin", "UV_OFFLINE": "1"}
    return subprocess.run(
        [str(each) for each in command], capture_output=True, text=True, check=False, cwd=cwd, env=environment
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, unpack it as pip does into an empty project, and return the project."""
    project = tmp_path_factory.mktemp("project")
    built = _run(sys.executable, "-m", "uv", "build", "--wheel", "--out-dir", project / "dist", PACKAGE, cwd=project)
    assert built.returncode == 0, built.stderr
    (wheel,) = (project / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(project / "site")
    (project / "usage.py").write_text(USAGE)
    (project / "misuse.py").write_text(MISUSE)
    (project / "page.py").write_text(program_of(PACKAGE / "README.md", "python"))
    return project


def test_the_wheel_is_typed_and_names_what_it_needs(installed: Path) -> None:
    (metadata,) = installed.glob("site/*.dist-info/METADATA")

    needed = [line for line in metadata.read_text().splitlines() if line.startswith("Requires-Dist")]
    assert [line.split()[1].split(">")[0].split("=")[0] for line in needed] == ["httpx", "httpx-sse", "pydantic"]
    assert (installed / "site/millrace_client/py.typed").exists()


def test_a_project_that_installs_the_wheel_runs(installed: Path) -> None:
    """What the wheel needs comes from this environment; the path of the sources does not."""
    path = f"import sys; sys.path[:0] = [{str(installed / 'site')!r}, {sysconfig.get_path('purelib')!r}]"
    code = f"{path}; import runpy, millrace_client; print(millrace_client.__file__); runpy.run_path('usage.py')"
    ran = _run(sys.executable, "-I", "-c", code, cwd=installed)

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [str(installed / "site/millrace_client/__init__.py"), "['JobDetail'] True"]


def test_a_project_that_installs_the_wheel_has_its_types(installed: Path) -> None:
    cache = ROOT / ".mypy_cache"
    files = ("usage.py", "misuse.py", "page.py")
    command = (sys.executable, "-m", "mypy", "--strict", "--cache-dir", cache / "python_client", *files)
    environment = {"PATH": "/usr/bin:/bin", "MYPYPATH": str(installed / "site")}
    checked = subprocess.run(
        [str(each) for each in command], capture_output=True, text=True, check=False, cwd=installed, env=environment
    )

    errors = [line for line in checked.stdout.splitlines() if ": error:" in line]
    assert {line.partition(":")[0] for line in errors} == {"misuse.py"}, checked.stdout
    assert any('"JobDetail" has no attribute "nope"' in line for line in errors)
    assert any('expected "str"' in line for line in errors)


def _python_3_13() -> Path | None:
    """Return an interpreter that runs: a shim of pyenv may name a version that is not chosen."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [*pyenv.glob("versions/3.13*/bin/python3.13"), shutil.which("python3.13")]
    runs = (Path(each) for each in candidates if each and not _run(each, "-c", "", cwd=ROOT).returncode)
    return next(runs, None)


def test_the_wheel_runs_in_an_empty_environment_of_python_3_13(installed: Path) -> None:
    """uv installs the wheel with what it needs, from its cache: nothing is downloaded."""
    interpreter = _python_3_13()
    if interpreter is None:
        pytest.skip("there is no python3.13 on the PATH or of pyenv")
    (wheel,) = installed.glob("dist/*.whl")
    environment = installed / "environment"
    uv = (sys.executable, "-m", "uv")
    made = _run(*uv, "venv", "--python", interpreter, environment, cwd=installed)
    assert made.returncode == 0, made.stderr
    python = environment / "bin/python"
    filled = _run(*uv, "pip", "install", "--python", python, wheel, cwd=installed)
    if "network was disabled" in filled.stderr:
        missing = "uv's cache lacks what the wheel needs on Python 3.13; install it once with: make lanes"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    assert filled.returncode == 0, filled.stderr

    code = "import runpy, sys; print(sys.version_info[:2]); runpy.run_path('usage.py')"
    ran = _run(python, "-I", "-W", "error", "-c", code, cwd=installed)

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["(3, 13)", "['JobDetail'] True"]
