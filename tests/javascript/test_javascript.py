"""Run the JavaScript tests under Node, and check the types with TypeScript's compiler."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.javascript.node import CLIENT, OLDEST_NODE, ROOT, TYPESCRIPT, find_node, install_client, pass_all

HERE = Path(__file__).parent
STATIC = ROOT / "functions/console/static"
COMPILER = TYPESCRIPT / "node_modules/typescript/bin/tsc"
OPTIONS = [
    *("--noEmit", "--allowJs", "--checkJs", "--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes"),
    *("--noUnusedLocals", "--noUnusedParameters", "--target", "es2022", "--lib", "es2024,dom,dom.iterable"),
    *("--module", "es2022", "--moduleResolution", "bundler"),
]


@pytest.mark.parametrize("tests", sorted(HERE.glob("*.test.mjs")), ids=lambda file: file.name.split(".")[0])
def test_the_javascript_tests_pass(tests: Path) -> None:
    pass_all(find_node(otherwise=f"the JavaScript tests need Node {OLDEST_NODE} or newer"), tests)


def _compile(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [find_node(COMPILER), str(COMPILER), *map(str, arguments)]
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
    # What needs React or the AI SDK is checked with the package.
    foreign = {CLIENT / "src/react.js", CLIENT / "src/ai.js", *(CLIENT / "src/ai").glob("*.js")}
    modules = [*own, *(each for each in (CLIENT / "src").rglob("*.js") if each not in foreign)]
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


def test_the_hooks_of_react_follow_a_job_once(tmp_path: Path) -> None:
    node = find_node(TYPESCRIPT / "node_modules/react-dom")
    install_client(tmp_path)
    for file in (HERE / "react/hooks.mjs", HERE / "api.mjs"):
        shutil.copy(file, tmp_path)

    pass_all(node, "hooks.mjs", 6, cwd=tmp_path)


def test_chats_of_the_ai_sdk_show_and_resume_jobs(tmp_path: Path) -> None:
    node = find_node(*(TYPESCRIPT / "node_modules" / name for name in ("ai", "@ai-sdk/react", "react-dom")))
    install_client(tmp_path)
    for file in (HERE / "react/chat.mjs", HERE / "api.mjs", HERE / "chance.mjs"):
        shutil.copy(file, tmp_path)

    pass_all(node, "chat.mjs", 14, cwd=tmp_path)


@pytest.mark.parametrize("tests", sorted((HERE / "pages").glob("*.mjs")), ids=lambda file: file.stem)
def test_the_pages_are_drawn_in_a_document(tests: Path) -> None:
    pass_all(find_node(TYPESCRIPT / "node_modules/happy-dom"), tests)


def test_the_console_links_to_the_client() -> None:
    for name in ("millrace.js", "millrace"):
        assert (STATIC / name).is_symlink()
        assert (STATIC / name).resolve() == CLIENT / "src" / name
