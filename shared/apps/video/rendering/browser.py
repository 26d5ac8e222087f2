"""Show one page in a headless Chromium and take pictures of it; the page gets its files from memory only."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from shared.apps.video.rendering.browser_process import BrowserProcess, lost
from shared.apps.video.rendering.programs import Program

HOST: Final = "https://stage.invalid"
"""The origin of the page. No such host can exist (RFC 6761)."""

START_SECONDS: Final = 90.0
"""How long the browser may take to start."""
ANSWER_SECONDS: Final = 60.0
"""How long the browser may take for one command, such as to draw one frame."""

_PICTURE: Final = {"format": "jpeg", "quality": 95, "optimizeForSpeed": True}
# PNG takes three times as long, and the encoder loses more than JPEG does.
_WORLD: Final = "millrace"
_CRASHES: Final = frozenset({"Inspector.targetCrashed", "Inspector.detached", "Target.detachedFromTarget"})


@dataclass(frozen=True, slots=True)
class File:
    """A file that the page may load."""

    content: bytes
    type: str
    headers: Mapping[str, str] = field(default_factory=dict)


class PageError(Exception):
    """A function of the page has thrown."""


class Browser:
    """A browser with one page, whose requests get `files` by their path, and fail if there is no such file.

    At the end of its `with` block, its processes and its folder are gone. Every method raises StorageUnavailable
    (`WORKER_LOST`) if the browser died, or does not respond to a command within `seconds`.
    """

    def __init__(
        self, program: Program, size: tuple[int, int], files: Mapping[str, File], *, seconds: float = ANSWER_SECONDS
    ) -> None:
        self._seconds = seconds
        self._on_command = program.draws_on_command
        self._size = size
        self._files = files
        self._process = BrowserProcess(program, size)
        self._last_id = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._unasked: set[int] = set()
        self._session: str | None = None
        self._context = 0
        self.version = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.end()

    @property
    def pid(self) -> int:
        """The id of the browser's process, and of the group of all its processes; 0 once it has ended."""
        return self._process.pid

    def kill(self) -> None:
        """End the browser now; another thread may call this."""
        self._process.kill()

    def open(self, path: str, driver: str) -> None:
        """Show a page. `driver` is a script that runs before those of the page, in a world that they cannot reach."""
        self.version = str(self._call("Browser.getVersion", seconds=START_SECONDS)["product"])
        width, height = self._size
        control = {"width": width, "height": height, "enableBeginFrameControl": True} if self._on_command else {}
        target = self._call("Target.createTarget", {"url": "about:blank", **control})["targetId"]
        attached = self._call("Target.attachToTarget", {"targetId": target, "flatten": True})
        self._session = attached["sessionId"]
        self._call("Inspector.enable")
        self._call("Fetch.enable", {"patterns": [{"urlPattern": "*"}]})
        self._call("Page.enable")
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", metrics)
        self._call("Page.addScriptToEvaluateOnNewDocument", {"source": driver, "worldName": _WORLD})
        frame = self._call("Page.navigate", {"url": f"{HOST}{path}"}, seconds=START_SECONDS)["frameId"]
        world = self._call("Page.createIsolatedWorld", {"frameId": frame, "worldName": _WORLD})
        self._context = world["executionContextId"]

    def run(self, function: str, given: Any) -> Any:
        """Call a function of the driver's world, and return what its promise resolves to. Raises PageError."""
        call = {
            "functionDeclaration": function,
            "executionContextId": self._context,
            "arguments": [{"value": given}],
            "awaitPromise": True,
            "returnByValue": True,
        }
        answer = self._call("Runtime.callFunctionOn", call)
        if details := answer.get("exceptionDetails"):
            raise PageError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    def take_picture(self) -> Callable[[], bytes | None]:
        """Begin to take a picture of the page, and return a function that returns it, as a JPEG, when it is there.

        The function returns None if the page looks as it did in the picture before.
        """
        if self._on_command:
            sent = self._send("HeadlessExperimental.beginFrame", {"screenshot": _PICTURE})
            name = "screenshotData"
        else:
            sent = self._send("Page.captureScreenshot", {**_PICTURE, "captureBeyondViewport": False})
            name = "data"

        def picture() -> bytes | None:
            data = self._answer(sent, self._seconds).get(name)
            return None if data is None else base64.b64decode(data)

        return picture

    # ---- messages ----------------------------------------------------------------------------------------------------

    def _call(self, method: str, params: Mapping[str, Any] | None = None, seconds: float | None = None) -> Any:
        return self._answer(self._send(method, params or {}), seconds or self._seconds)

    def _send(self, method: str, params: Mapping[str, Any]) -> int:
        self._last_id += 1
        session = {} if self._session is None else {"sessionId": self._session}
        self._process.send({"id": self._last_id, "method": method, "params": params, **session})
        return self._last_id

    def _answer(self, sent: int, seconds: float) -> Any:
        end = time.monotonic() + seconds
        while sent not in self._answers:
            message = self._process.receive(end - time.monotonic())
            if message is None:
                raise lost(f"did not respond within {seconds:g} seconds")
            self._handle(message)
        answer = self._answers.pop(sent)
        if "error" in answer:
            raise lost(f"refused a command: {answer['error'].get('message')}")
        return answer["result"]

    def _handle(self, message: dict[str, Any]) -> None:
        if "id" in message:
            if message["id"] in self._unasked:
                self._unasked.remove(message["id"])
            else:
                self._answers[message["id"]] = message
        elif message["method"] == "Fetch.requestPaused":
            self._give_file(message["params"])
        elif message["method"] in _CRASHES:
            raise lost("lost its page, perhaps because it had no memory left")

    def _give_file(self, paused: dict[str, Any]) -> None:
        url = paused["request"]["url"]
        file = self._files.get(url.removeprefix(HOST)) if url.startswith(HOST) else None
        if file is None:
            self._send_unasked(
                "Fetch.failRequest", {"requestId": paused["requestId"], "errorReason": "BlockedByClient"}
            )
            return
        headers = {"Content-Type": file.type, "Access-Control-Allow-Origin": "*", **file.headers}
        answer = {
            "requestId": paused["requestId"],
            "responseCode": 200,
            "responseHeaders": [{"name": name, "value": value} for name, value in headers.items()],
            "body": base64.b64encode(file.content).decode(),
        }
        self._send_unasked("Fetch.fulfillRequest", answer)

    def _send_unasked(self, method: str, params: Mapping[str, Any]) -> None:
        """Send a command whose answer nothing waits for: the request may be over by then."""
        self._unasked.add(self._send(method, params))
