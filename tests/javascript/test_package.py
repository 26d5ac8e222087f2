"""The package `@millrace/client` as npm packs and installs it, in projects that have nothing of this repository."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.code_blocks import program_of
from tests.javascript.node import CLIENT, ROOT, TYPESCRIPT, find_node, link_packages, pass_all

HERE = Path(__file__).parent
PACKAGE = HERE / "package"
NEEDED = tuple(TYPESCRIPT / "node_modules" / name for name in ("typescript", "react-dom", "ai", "esbuild", "vite"))
OPTIONS = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2024,dom,dom.iterable", "--jsx", "react-jsx"]
OPTIONS += ["--module", "es2022", "--moduleResolution", "bundler", "--types", "react"]


def _npm(*arguments: str | Path, cwd: Path) -> str:
    """Run npm without the network and without the user's settings; return its output."""
    settings = {
        "npm_config_cache": str(cwd / ".npm"),
        "npm_config_userconfig": "/dev/null",
        "npm_config_offline": "true",
    }
    settings |= {"npm_config_audit": "false", "npm_config_fund": "false", "npm_config_update_notifier": "false"}
    path = f"{TYPESCRIPT / 'node_modules/.bin'}:{Path(shutil.which('node') or '').parent}:/usr/bin:/bin"
    environment = {"PATH": path, "HOME": str(cwd), **settings}
    command = [shutil.which("npm") or "npm", *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pack a copy of the client, because packing writes its types beside the sources."""
    find_node(*NEEDED)
    copy = tmp_path_factory.mktemp("repository")
    shutil.copytree(CLIENT, copy / "clients/javascript", ignore=shutil.ignore_patterns("build", "node_modules"))
    (copy / "docs/api").mkdir(parents=True)
    shutil.copy(ROOT / "docs/api/types.ts", copy / "docs/api")
    (copy / "tests/typescript").mkdir(parents=True)
    (copy / "tests/typescript/node_modules").symlink_to(TYPESCRIPT / "node_modules")
    (packed,) = json.loads(_npm("pack", "--json", "--silent", cwd=copy / "clients/javascript"))
    filename: str = packed["filename"]
    return copy / "clients/javascript" / filename


@pytest.fixture(scope="module")
def installed(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the tarball into an empty project."""
    project = tmp_path_factory.mktemp("installed")
    (project / "package.json").write_text('{"name": "project", "private": true, "type": "module"}')
    _npm("install", tarball, cwd=project)
    for file in (HERE / "api.mjs", *(each for each in PACKAGE.iterdir() if each.is_file())):
        shutil.copy(file, project)
    return project


@pytest.fixture(scope="module")
def front_end(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project that has React, the AI SDK and bundlers too."""
    project = tmp_path_factory.mktemp("front_end") / "project"
    shutil.copytree(installed, project)
    link_packages(project)
    (project / "page.tsx").write_text(program_of(CLIENT / "README.md", "js", "tsx"))
    return project


def test_the_package_runs_under_node_and_installs_nothing_else(installed: Path) -> None:
    assert [each.name for each in (installed / "node_modules").glob("[!.]*")] == ["@millrace"]

    pass_all(find_node(), "plain_node.mjs", 4, cwd=installed)


# The declarations of the AI SDK themselves have errors without `skipLibCheck`.
@pytest.mark.parametrize(
    ("files", "options"),
    [
        (["client_usage.ts", "types.ts"], ["--skipDefaultLibCheck"]),
        (["chat_types.ts", "page.tsx", "process.d.ts"], ["--skipLibCheck"]),
    ],
    ids=["client", "chat_and_page"],
)
def test_the_types_of_the_package_are_valid_in_strict_mode(
    front_end: Path, files: list[str], options: list[str]
) -> None:
    usage = (TYPESCRIPT / "client_usage.ts").read_text()
    usage = usage.replace("../../clients/javascript/src/millrace.js", "@millrace/client")
    (front_end / "client_usage.ts").write_text(usage)

    command = [find_node(), str(TYPESCRIPT / "node_modules/typescript/bin/tsc"), *OPTIONS, *options, *files]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=front_end)

    assert checked.stdout == ""


def test_vite_builds_a_page_of_react_with_the_package(front_end: Path) -> None:
    shutil.copytree(PACKAGE / "app", front_end / "app")

    pass_all(find_node(), "vite.mjs", 2, cwd=front_end)


def test_a_bundle_contains_only_what_is_imported(front_end: Path) -> None:
    pass_all(find_node(), "sizes.mjs", 6, cwd=front_end)
