"""Play a compiled scene frame by frame in a process that has no permissions, and say what went wrong."""

from __future__ import annotations

import json
import secrets
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from shared.apps.video.build.compiler import Compiled
from shared.apps.video.build.deno import NO_PERMISSIONS, RUNTIME, Ended, Limits, run_deno
from shared.apps.video.build.positions import first_place, places, without_places
from shared.apps.video.build.report import BuildError, BuildRequest
from shared.apps.video.build.source import ErrorKind, Place, Source

MOST_FRAMES: Final = 300
"""Scenes of more frames are played at this number of frames, evenly spaced, the first and the last included."""
LIMITS: Final = Limits(cpu_seconds=3, seconds=20, memory=700_000_000)
"""What a test render may use."""

_HEAP = 128  # MB of the objects of JavaScript
OPTIONS: Final = (
    *NO_PERMISSIONS,
    *("--no-config", "--cached-only", "--no-code-cache", "--quiet", f"--v8-flags=--max-old-space-size={_HEAP}"),
    *("--import-map", str(RUNTIME / "imports.json"), f"--allow-read={RUNTIME}"),
)
"""How a scene is run: the only permission is to read the runtime."""
_OUT_OF_MEMORY = ("out of memory", "memory allocation of")


@dataclass(frozen=True, slots=True)
class Played:
    """What a test render found. `images` are the ids of the images that were shown."""

    errors: tuple[BuildError, ...] = ()
    warnings: tuple[BuildError, ...] = ()
    images: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Hints:
    """Places of the source for faults that the process cannot locate."""

    scene: Place | None = None
    module_state: Place | None = None
    elements: Mapping[str, Sequence[Place]] = field(default_factory=dict)


def frames_to_play(duration: int) -> list[int]:
    """Return the frames that a test render of a scene draws."""
    if duration <= MOST_FRAMES:
        return list(range(duration))
    return [round(index * (duration - 1) / (MOST_FRAMES - 1)) for index in range(MOST_FRAMES)]


async def play(source: Source, compiled: Compiled, request: BuildRequest, hints: Hints, folder: Path) -> Played:
    """Play the scene with its own default props and with those of the request.

    Raises:
        CompilerMissing: Deno is not installed.
        StorageUnavailable: Deno could not be started, or was killed.
    """
    key = secrets.token_hex(16)
    given = json.dumps(_job(key, compiled.mapped_code, request)).encode()
    ended = await run_deno(["run", *OPTIONS, str(RUNTIME / "smoke.js")], LIMITS, folder=folder, given=given)
    answer = next((line[len(key) :] for line in ended.output.splitlines() if line.startswith(key)), None)
    if answer is None:
        return Played(errors=(_no_answer(source, ended, hints),))
    report = json.loads(answer)
    if fault := report.get("fault"):
        return Played(errors=(_error(source, fault, hints),))
    return _played(source, report, hints)


def _job(key: str, code: str, request: BuildRequest) -> dict[str, Any]:
    return {
        "key": key,
        "code": code,
        "components": dict(request.components or {}),
        "images": sorted(request.images),
        "frames": frames_to_play(request.duration_in_frames),
        "durationInFrames": request.duration_in_frames,
        "playbackRate": request.playback_rate,
        "format": request.format.model_dump(),
        "id": "scene",
        "props": dict(request.props),
        "isComponent": request.is_component,
    }


def _played(source: Source, report: Mapping[str, Any], hints: Hints) -> Played:
    if report["empty"]:
        message = "no frame shows anything: return elements, such as an AbsoluteFill with a text"
        return Played(errors=(source.error("runtime", "empty-scene", message, hints.scene),))
    warnings: tuple[BuildError, ...] = ()
    if report["notNumbers"] is not None:
        message = f"frame {report['notNumbers']}: a value is NaN, which browsers ignore; check the calculation"
        warnings = (source.error("runtime", "not-a-number", message),)
    return Played(warnings=warnings, images=frozenset(report["images"]))


def _error(source: Source, fault: Mapping[str, Any], hints: Hints) -> BuildError:
    """Return the error that a scene has thrown, or that its drawings have."""
    message = without_places(fault["message"])
    frame = f"frame {fault['frame']}: " if "frame" in fault else ""
    if component := fault.get("component"):
        text = f"the component {component} cannot be loaded: {message}"
        return source.error("runtime", "component", text)
    match fault.get("rule"):
        case "default-export":
            text = "the default export is not a function: export the scene's function as default"
            return source.error("runtime", "default-export", text, hints.scene)
        case "too-many-elements":
            text = f"{frame}it draws more than a browser can show in time: draw fewer elements"
            return source.error("runtime", "too-many-elements", text, hints.scene)
        case "not-a-function-of-the-frame":
            text = f"{frame}drawn twice, it is not the same: compute everything from useCurrentFrame() and props"
            return source.error("runtime", "not-a-function-of-the-frame", text, hints.module_state or hints.scene)
    kind, rule = _kind(fault["name"], message)
    if rule == "endless-recursion":
        place = _most_frequent(places(source, fault["stack"]))
    else:
        place = first_place(source, fault["message"]) or first_place(source, fault["stack"])
    place = place or _only(hints.elements.get(message.partition(":")[0], ()))
    return source.error(kind, rule, f"{frame}{fault['name']}: {message}", place)


def _only(places: Sequence[Place]) -> Place | None:
    """Return the place of an element whose own code has thrown, if the source has one such element only."""
    return places[0] if len(places) == 1 else None


def _most_frequent(found: Sequence[Place]) -> Place | None:
    """Return the call of a recursion. Which call is the one too many depends on the size of the stack."""
    return Counter(found).most_common(1)[0][0] if found else None


def _kind(name: str, message: str) -> tuple[ErrorKind, str]:
    if name == "ReferenceError":
        early = "before initialization" in message
        return "name", "used-before-its-declaration" if early else "undefined-name"
    if name == "SyntaxError":
        if "already been declared" in message:
            return "name", "duplicate-name"
        return ("lint", "import-name") if "provide an export" in message else ("syntax", "syntax")
    if name == "RangeError" and "call stack" in message:
        return "runtime", "endless-recursion"
    return "runtime", "exception"


def _no_answer(source: Source, ended: Ended, hints: Hints) -> BuildError:
    """Return why the process ended without an answer."""
    if any(words in ended.errors for words in _OUT_OF_MEMORY):
        message = "the scene needs too much memory: create fewer objects"
        return source.error("runtime", "too-much-memory", message, hints.scene)
    if ended.late or ended.status == -signal.SIGXCPU:
        message = f"the scene was not drawn within {LIMITS.cpu_seconds} seconds of computing: does a loop never end?"
        return source.error("runtime", "too-slow", message, hints.scene)
    message = "the scene ended the process that draws it: remove what is not about drawing"
    return source.error("runtime", "ended", message, hints.scene)
