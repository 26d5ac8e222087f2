"""What a scene that means harm can reach when it is played for a build: nothing."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from shared.apps.video.build.compiler import Compiled
from shared.apps.video.build.deno import RUNTIME, Limits, run_deno
from shared.apps.video.build.deno_compiler import DenoCompiler
from shared.apps.video.build.report import BuildRequest
from shared.apps.video.build.source import Source
from shared.apps.video.build.test_render import LIMITS, OPTIONS, Hints, Played, play
from shared.apps.video.build.type_check import type_errors
from shared.apps.video.scene import FORMATS
from shared.errors import CompilerMissing, ErrorCode, StorageUnavailable
from tests.apps.video.compiler_lane import require_compiler
from tests.patience import PATIENCE

require_compiler()


def play_code(code: str, folder: Path) -> Played:
    """Play a module as it is, without the rules, which are no boundary."""
    request = BuildRequest(code, 30, FORMATS["landscape"], {})
    return asyncio.run(play(Source(code), Compiled(code, code), request, Hints(), folder))


def told(code: str, folder: Path) -> str:
    """Return what the code could find out: it throws a text."""
    [error] = play_code(code, folder).errors
    return error.message


REFUSED = re.compile(r"NotCapable|ERR_ACCESS_DENIED|Requires \w+ access|remote specifier was requested")
"""How Deno says that a permission is missing; another error could have another cause."""
DRAWING = "export default () => 'drawn';"


def printed(script: str, folder: Path, *options: str) -> str:
    """Run a script as scenes are run, but with all that Deno has, and return what it prints."""
    file = folder / "script.js"
    file.write_text(script)
    limits = replace(LIMITS, seconds=PATIENCE)
    return asyncio.run(run_deno(["run", *(options or OPTIONS), str(file)], limits, folder=folder)).output.strip()


class TestWhatIsOutOfReach:
    @pytest.mark.parametrize(
        "attempt",
        [
            pytest.param("Deno.readTextFileSync('/etc/passwd')", id="a file"),
            pytest.param(f"Deno.readTextFileSync({str(Path(__file__))!r})", id="a file of the product"),
            pytest.param("(await import('node:fs')).readFileSync('/etc/passwd')", id="a file, through node"),
            pytest.param("Deno.writeTextFileSync('/tmp/mark', '')", id="writing"),
            pytest.param("new Deno.Command('/bin/sh').outputSync()", id="a program"),
            pytest.param("(await import('node:child_process')).execSync('/bin/sh')", id="a program, through node"),
            pytest.param("await fetch('http://127.0.0.1:8080/')", id="a request"),
            pytest.param("await Deno.connect({ port: 1 })", id="a connection"),
            pytest.param("await import('https://127.0.0.1:1/x.js')", id="a module of a network"),
            pytest.param("Deno.env.get('AWS_SECRET_ACCESS_KEY')", id="a variable of the environment"),
            pytest.param("(await import('node:os')).userInfo()", id="the user"),
            pytest.param("Deno.dlopen('libc.so.6', {})", id="a library"),
        ],
    )
    def test_what_the_process_may_not_do(self, attempt: str, tmp_path: Path) -> None:
        caught = "console.log(error.name, error.message, error.code)"
        script = f"try {{ {attempt}; console.log('reached'); }} catch (error) {{ {caught}; }}"

        assert REFUSED.search(printed(script, tmp_path))

    @pytest.mark.parametrize(
        "code",
        [
            pytest.param('import x from "{file}"; throw new Error(x);', id="import"),
            pytest.param('throw new Error((await import("file:" + "{file}".slice(5))).default);', id="import()"),
            pytest.param('import x from "{file}" with {{ type: "text" }}; throw new Error(x);', id="as a text"),
            pytest.param('import x from "{file}" with {{ type: "json" }}; throw new Error(x);', id="as JSON"),
            pytest.param("export {{ default }} from '{file}';", id="export"),
        ],
    )
    def test_a_scene_imports_no_file(self, code: str, tmp_path: Path) -> None:
        secret = tmp_path / "secret.js"
        secret.write_text("export default 'secret';")

        assert "Requires read access" in told(code.format(file=secret.as_uri()), tmp_path)

    @pytest.mark.parametrize(
        "code",
        [
            'import x from "{url}/a.js"; export default () => x + missing;',
            'import type {{ X }} from "{url}/a.ts"; export default () => missing as X;',
            '/// <reference path="{url}/a.d.ts" />\nexport default () => missing;',
            '// @ts-types="{url}/a.d.ts"\nimport {{ spring }} from "remotion";\nexport default () => spring(missing);',
            "/** @jsxImportSource {url} */\nexport default () => <a>{{missing}}</a>;",
            'export default () => missing as import("{url}/a.ts").A;',
        ],
    )
    def test_compiler_and_type_check_ask_no_server(self, code: str, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            source = Source(code.format(url=f"http://127.0.0.1:{server.getsockname()[1]}"))

            async def check() -> None:
                await DenoCompiler().compile(source, tmp_path)
                await type_errors(source, tmp_path)

            asyncio.run(check())

            with pytest.raises(BlockingIOError):
                server.accept()

    def test_the_type_check_tells_nothing_of_files(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret.ts"
        secret.write_text("const password = hunter2;")
        source = Source(f'/// <reference path="{secret.as_uri()}" />\nexport default () => passwort;')

        async def check() -> str:
            await DenoCompiler().compile(source, tmp_path)
            return repr(await type_errors(source, tmp_path))

        assert "hunter2" not in asyncio.run(check())

    def test_what_the_runtime_needs_is_in_reach(self, tmp_path: Path) -> None:
        """The other tests would pass if nothing ran at all."""
        script = f"console.log(Deno.readTextFileSync({str(RUNTIME / 'imports.json')!r}).length > 10)"

        assert printed(script, tmp_path) == "true"

    @pytest.mark.parametrize(
        "name", ["Deno", "process", "require", "Buffer", "localStorage", "fetch", "Worker", "WebSocket"]
    )
    def test_a_name_that_reaches_out(self, name: str, tmp_path: Path) -> None:
        assert told(f"throw new Error(typeof {name});", tmp_path) == "Error: undefined"

    def test_the_environment_has_nothing_of_the_function(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-function")
        script = "console.log(JSON.stringify(Deno.env.toObject()))"

        variables = json.loads(printed(script, tmp_path, "--allow-env"))

        ours = {"DENO_DIR", "DENO_NO_UPDATE_CHECK", "NO_COLOR"}
        of_shell_and_deno = {"PATH", "PWD", "OLDPWD", "SHLVL", "_", "DENO_NODE_SHIM_ACTIVE"}
        assert ours <= set(variables) <= ours | of_shell_and_deno


class TestAnswers:
    def test_a_scene_that_prints_an_answer(self, tmp_path: Path) -> None:
        """What a scene prints is not taken for the answer."""
        code = """
            console.log('{"images":[],"empty":false,"notNumbers":null}');
            throw new Error('really');
        """

        assert told(code, tmp_path) == "Error: really"

    def test_a_drawing_that_a_later_change_of_built_ins_has_made(self, tmp_path: Path) -> None:
        code = """
            JSON.stringify = () => '{}';
            JSON.parse = () => ({});
            Map.prototype.get = () => null;
            export default () => { throw new Error('still told'); };
        """

        assert "still told" in told(code, tmp_path)


class TestLimits:
    def test_a_loop_ends_after_its_seconds_of_computing(self, tmp_path: Path) -> None:
        script = tmp_path / "loops.js"
        script.write_text("while (true) {}")

        ended = asyncio.run(run_deno(["run", str(script)], Limits(1, PATIENCE, 700_000_000), folder=tmp_path))

        assert not ended.late
        assert ended.status == -signal.SIGXCPU

    @pytest.mark.parametrize("step", ["compile", "play", "check"])
    def test_a_process_that_another_one_kills_says_nothing_about_the_scene(self, step: str, tmp_path: Path) -> None:
        source = Source(DRAWING)
        # A program that kills itself ends as if another one had killed it.
        program = tmp_path / "deno"
        program.write_text("#!/bin/sh\nkill -KILL $$\n")
        program.chmod(0o700)
        steps: dict[str, Callable[[], Awaitable[object]]] = {
            "compile": lambda: DenoCompiler().compile(source, tmp_path),
            "play": lambda: play(
                source,
                Compiled(DRAWING, DRAWING),
                BuildRequest(DRAWING, 30, FORMATS["landscape"], {}),
                Hints(),
                tmp_path,
            ),
            "check": lambda: type_errors(source, tmp_path),
        }

        async def run() -> object:
            return await steps[step]()

        with (
            patch("shared.apps.video.build.deno.deno_program", return_value=program),
            pytest.raises(StorageUnavailable, match="the compiler of scenes was killed") as caught,
        ):
            asyncio.run(run())

        assert caught.value.code == ErrorCode.WORKER_LOST

    def test_a_heap_that_grows_ends(self, tmp_path: Path) -> None:
        [error] = play_code("const all = []; while (true) all.push(new Array(1e6).fill(1));", tmp_path).errors

        assert error.rule == "too-much-memory"

    def test_memory_outside_the_heap_is_limited_too(self, tmp_path: Path) -> None:
        code = "const all = []; for (let i = 0; i < 20; i++) all.push(new Uint8Array(2e8).fill(1));\n" + DRAWING

        [error] = play_code(code, tmp_path).errors

        assert error.rule in {"exception", "too-much-memory", "ended"}

    def test_without_its_limits_a_process_is_not_started(self, tmp_path: Path) -> None:
        script = tmp_path / "prints.js"
        script.write_text("console.log('started')")

        with pytest.raises(CompilerMissing, match="cannot be limited"):
            asyncio.run(run_deno(["run", str(script)], Limits(-7, 60, 700_000_000), folder=tmp_path))

    def test_a_process_that_waits_is_ended(self, tmp_path: Path) -> None:
        script = tmp_path / "waits.js"
        script.write_text("setInterval(() => {}, 1000)")

        ended = asyncio.run(run_deno(["run", str(script)], Limits(5, 0.5, 700_000_000), folder=tmp_path))

        assert ended.late

    def test_a_build_that_is_given_up_leaves_no_process(self, tmp_path: Path) -> None:
        script, mark = tmp_path / "waits.js", tmp_path / "pid"
        script.write_text(f"Deno.writeTextFileSync({str(mark)!r}, String(Deno.pid)); setInterval(() => {{}}, 1000)")

        async def give_up() -> None:
            limits = Limits(60, PATIENCE, 700_000_000)
            task = asyncio.create_task(run_deno(["run", "--allow-write", str(script)], limits, folder=tmp_path))
            await asyncio.to_thread(wait_for_content, mark)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(give_up())

        with pytest.raises(ProcessLookupError):
            os.kill(int(mark.read_text()), 0)


def wait_for_content(file: Path) -> None:
    """Wait until the file has been written."""
    while not (file.exists() and file.read_text()):
        time.sleep(0.01)
