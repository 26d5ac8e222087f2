"""Run the JavaScript tests under Node, and check the types with TypeScript's compiler."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.patience import PATIENCE

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
STATIC = ROOT / "functions/console/static"
CLIENT = ROOT / "clients/javascript"
TYPESCRIPT = ROOT / "tests/typescript"
COMPILER = TYPESCRIPT / "node_modules/typescript/bin/tsc"
OPTIONS = [
    *("--noEmit", "--allowJs", "--checkJs", "--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes"),
    *("--noUnusedLocals", "--noUnusedParameters", "--target", "es2022", "--lib", "es2024,dom,dom.iterable"),
    *("--module", "es2022", "--moduleResolution", "bundler"),
]
OLDEST_NODE = 20
NO_PACKAGES = "the packages of npm are not installed; run `make lanes`, or `npm ci --prefix tests/typescript`"


def _node(*needed: Path, otherwise: str) -> str:
    """Return the path of Node. If Node or a needed file is missing, skip the test, or fail it in CI."""
    node = shutil.which("node")
    if node is not None and all(file.exists() for file in needed):
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
        if int(version.strip().lstrip("v").split(".")[0]) >= OLDEST_NODE:
            return node
    if os.environ.get("CI") == "true":
        pytest.fail(otherwise)
    pytest.skip(otherwise)


@pytest.mark.parametrize("tests", sorted(HERE.glob("*.test.mjs")), ids=lambda file: file.name.split(".")[0])
def test_the_javascript_tests_pass(tests: Path) -> None:
    node = _node(otherwise=f"the JavaScript tests need Node {OLDEST_NODE} or newer")

    command = [node, "--test", "--test-reporter=tap", str(tests)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)

    assert ran.returncode == 0, ran.stdout
    assert "\n# pass 0\n" not in ran.stdout, "no test was found"


def _compile(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    node = _node(
        COMPILER,
        otherwise="the TypeScript compiler is not installed; install Node and run `npm ci --prefix tests/typescript`",
    )
    command = [node, str(COMPILER), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


MISUSES = {
    "client": (
        f'import {{ Millrace }} from "{CLIENT}/src/millrace.js";\n'
        'new Millrace({ api: "/", token: "t" }).watch("job_1").subscribe(({ state }) => state === "done");\n',
        "have no overlap",
    ),
    "input": (
        f'import {{ Millrace }} from "{CLIENT}/src/millrace.js";\n'
        'void new Millrace({ api: "/", token: "t" }).createJob("suggestion", { pageOrComponent: "Checkout" });\n',
        "missing the following properties from type 'SuggestionInput'",
    ),
    "result": (
        f'import {{ Millrace }} from "{CLIENT}/src/millrace.js";\n'
        'const input = { pageOrComponent: "A", featureType: "enhancement", priorityLevel: "low" } as const;\n'
        'new Millrace({ api: "/", token: "t" }).startJob("suggestion", input).view.result?.nope;\n',
        "Property 'nope' does not exist on type 'Suggestions'",
    ),
    "types": (
        f'import type {{ StreamEvent }} from "{ROOT}/docs/api/types";\n'
        "export const text = (event: StreamEvent) => event.text;\n",
        "Property 'text' does not exist",
    ),
}
"""Front ends that misuse the client and the API's types, and what the compiler says of each."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Compile everything at once, because the compiler needs seconds for its own files: file's name → its errors."""
    folder = tmp_path_factory.mktemp("misuses")
    for name, (source, _) in MISUSES.items():
        (folder / f"{name}.ts").write_text(source)
    own = (path for path in STATIC.rglob("*.js") if "vendor" not in path.parts)
    # react.js is checked with the package: it needs React, and the console has no use for it.
    modules = [*own, *(each for each in (CLIENT / "src").rglob("*.js") if each.name != "react.js")]
    front_ends = [TYPESCRIPT / "usage.ts", TYPESCRIPT / "client_usage.ts"]
    checked = _compile(*OPTIONS, *sorted(modules), *front_ends, *folder.glob("*.ts"))
    files: dict[str, str] = {}
    for error in re.split(r"\n(?! )", checked.stdout.strip()):
        name = Path(error.partition("(")[0]).name
        files[name] = f"{files.get(name, '')}{error}\n"
    return files


def test_modules_and_front_ends_have_the_types_of_the_client_and_of_the_api(found: dict[str, str]) -> None:
    assert {name: errors for name, errors in found.items() if name.removesuffix(".ts") not in MISUSES} == {}


@pytest.mark.parametrize("name", MISUSES)
def test_the_compiler_refuses_a_front_end_that_misuses(name: str, found: dict[str, str]) -> None:
    assert MISUSES[name][1] in found[f"{name}.ts"]


def _installed(project: Path) -> Path:
    """Install the client's package in a project that has React, and return the package's folder."""
    package = shutil.copytree(CLIENT, project / "node_modules/@millrace/client")
    for module in (TYPESCRIPT / "node_modules").glob("[!.]*"):
        (project / "node_modules" / module.name).symlink_to(module)
    return package


def test_the_hooks_of_react_follow_a_job_once(tmp_path: Path) -> None:
    node = _node(TYPESCRIPT / "node_modules/react-dom", otherwise=NO_PACKAGES)
    _installed(tmp_path)
    for file in (HERE / "react/hooks.mjs", HERE / "api.mjs"):
        shutil.copy(file, tmp_path)

    command = [node, "--test", "--test-reporter=tap", "hooks.mjs"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE, cwd=tmp_path)

    assert ran.returncode == 0, ran.stdout
    assert "\n# pass 6\n" in ran.stdout


def test_a_bundle_contains_only_what_is_imported(tmp_path: Path) -> None:
    node = _node(TYPESCRIPT / "node_modules/esbuild", otherwise=NO_PACKAGES)
    _installed(tmp_path)
    shutil.copy(HERE / "bundle/sizes.mjs", tmp_path)

    command = [node, "--test", "--test-reporter=tap", "sizes.mjs"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE, cwd=tmp_path)

    assert ran.returncode == 0, ran.stdout
    assert "\n# pass 6\n" in ran.stdout


@pytest.mark.parametrize("tests", sorted((HERE / "pages").glob("*.mjs")), ids=lambda file: file.stem)
def test_the_pages_are_drawn_in_a_document(tests: Path) -> None:
    node = _node(TYPESCRIPT / "node_modules/happy-dom", otherwise="run `npm ci --prefix tests/typescript`")

    command = [node, "--test", "--test-reporter=tap", str(tests)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)

    assert ran.returncode == 0, ran.stdout
    assert "\n# pass 0\n" not in ran.stdout, "no test was found"


def test_the_package_has_types_for_a_front_end_without_javascript_checks(tmp_path: Path) -> None:
    package = _installed(tmp_path)
    emitted = _compile("--project", CLIENT / "tsconfig.json", "--outDir", package / "build/types")
    assert emitted.returncode == 0, emitted.stdout
    usage = (TYPESCRIPT / "client_usage.ts").read_text()
    front_end = tmp_path / "front_end.ts"
    front_end.write_text(
        usage.replace("../../clients/javascript/src/millrace.js", "@millrace/client")
        + 'import type { JobDetail } from "@millrace/client/api";\n'
        + "export const textOf = (job: JobDetail): string => job.text;\n"
        + 'import { useJob } from "@millrace/client/react";\n'
        + "export const useText = (id: string): string | undefined =>\n"
        + '  useJob<"suggestion">(millrace, id).view.result?.suggestions[0]?.title;\n'
    )

    checked = _compile(*(option for option in OPTIONS if option not in {"--allowJs", "--checkJs"}), front_end)

    assert checked.returncode == 0, checked.stdout


def test_the_console_links_to_the_client() -> None:
    for name in ("millrace.js", "millrace"):
        assert (STATIC / name).is_symlink()
        assert (STATIC / name).resolve() == CLIENT / "src" / name
