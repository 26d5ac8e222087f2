"""The stage draws what it is sent, contains what breaks, and lets nothing out, whatever a scene tries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from local.stack import LocalStack
from tests.browser.counting_server import CountingServer, counting
from tests.browser.tab import Tab

FORMAT = {"width": 320, "height": 180, "fps": 30}
HOST = """() => {
  const frame = document.createElement("iframe");
  Object.assign(frame, { src: "/stage", width: 320, height: 180 });
  frame.setAttribute("sandbox", "allow-scripts");
  window.heard = [];
  window.waits = [];
  addEventListener("message", ({ data, source, origin }) => {
    if (source !== frame.contentWindow) return;
    heard.push({ ...data, origin, at: performance.now() });
    for (const look of [...waits]) look();
  });
  window.say = (message) => frame.contentWindow.postMessage(message, "*");
  window.until = (wanted, from = 0) => new Promise((resolve) => {
    const look = () => {
      const fits = (each) => Object.entries(wanted).every(([name, value]) => each[name] === value);
      const found = heard.slice(from).find(fits);
      if (!found) return;
      waits.splice(waits.indexOf(look), 1);
      resolve(found);
    };
    waits.push(look);
    look();
  });
  document.body.append(frame);
  return until({ type: "ready" });
}"""
SHOW = """async ({ id, version, code, durationInFrames, format }) => {
  const from = heard.length, began = performance.now();
  say({ type: "project", format, scenes: [{ id, version, durationInFrames }] });
  say({ type: "scene", id, version, code, durationInFrames, props: { title: "Hello" } });
  const told = ["shown", "sceneError"].map((type) => until({ type, id, version }, from));
  const answer = await Promise.race(told);
  say({ type: "ping", n: version });
  await until({ type: "pong", n: version }, from);
  return { ...answer, ms: answer.at - began };
}"""


class Stage:
    """A stage in a frame of the console's first page, and what it has said."""

    def __init__(self, tab: Tab, url: str) -> None:
        self.tab = tab
        self.page: Page = tab.page
        self._url = url
        self._version = 0
        self.open()

    def open(self) -> None:
        """Open the page with a new frame."""
        self.page.goto(self._url)
        self.ready: dict[str, Any] = self.tab.evaluate(HOST)

    def show(self, code: str, *, scene_id: str = "a", seconds: int = 1) -> dict[str, Any]:
        """Show a scene and wait until it is drawn or refused; return what the stage said."""
        self._version += 1
        message = {"id": scene_id, "version": self._version, "code": code, "durationInFrames": 30 * seconds}
        answer: dict[str, Any] = self.tab.evaluate(SHOW, {**message, "format": FORMAT})
        return answer

    def tries(self, body: str) -> dict[str, Any]:
        """Show a scene that does this while it is drawn."""
        return self.show(_scene(body))

    def leave(self, body: str) -> None:
        """Show a scene that does this, and wait for nothing: the frame cannot answer any more."""
        scene = {"type": "scene", "id": "a", "version": 0, "durationInFrames": 9, "code": _scene(body)}
        project = {"type": "project", "format": FORMAT, "scenes": [{"id": "a", "version": 0, "durationInFrames": 9}]}
        self.tab.evaluate("(messages) => { for (const each of messages) say(each); }", [project, scene])

    def as_tile(self) -> None:
        """Draw a small picture of the scene instead of the film, as in a storyboard."""
        tile = {"id": "a", "frame": 15, "x": 40, "y": 20, "width": 160, "height": 90}
        self.tab.evaluate("(tiles) => say({ type: 'tiles', tiles })", [tile])

    def seek(self, frame: int) -> None:
        self.tab.evaluate(
            'async (frame) => { const from = heard.length; say({ type: "seek", frame });'
            ' await until({ type: "frame", frame }, from); }',
            frame,
        )

    @property
    def heard(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.tab.evaluate("heard")
        return found

    def errors(self) -> list[dict[str, Any]]:
        """Return the errors of the version that was shown last."""
        return [each for each in self.heard if each["type"] == "sceneError" and each["version"] == self._version]

    def text(self) -> str:
        return str(self.page.frame_locator("iframe").locator("#stage").inner_text())


def _scene(body: str) -> str:
    return f'import {{ h }} from "preact"; export default function S() {{ {body}; return h("p"); }}'


@pytest.fixture
def stage(tab: Tab, stack: LocalStack) -> Stage:
    tab.expect_complaints("")  # what a scene tries is reported in the browser's console
    return Stage(tab, stack.api_url)


@pytest.fixture(scope="module")
def server() -> Iterator[CountingServer]:
    with counting() as started:
        yield started


TITLE = """
import { AbsoluteFill, useCurrentFrame, useVideoConfig } from "@millrace/scene";
import { jsx } from "preact/jsx-runtime";
export default function Title({ title }) {
  const frame = useCurrentFrame(), { width, durationInFrames } = useVideoConfig();
  return jsx(AbsoluteFill, { children: `${title} ${frame} of ${durationInFrames}, ${width} wide` });
}
"""


def test_a_scene_is_drawn_at_any_frame_with_its_props_and_replaced_without_a_reload(stage: Stage) -> None:
    assert stage.ready["origin"] == "null"
    assert stage.show(TITLE)["type"] == "shown"
    assert stage.text() == "Hello 0 of 30, 320 wide"
    stage.seek(29)
    assert stage.text() == "Hello 29 of 30, 320 wide"
    stage.seek(0)
    page = stage.page.frame_locator("iframe").locator("html")
    page.evaluate("html => { html.dataset.same = 'yes'; }")
    assert stage.show(TITLE.replace("wide", "pixels wide"))["type"] == "shown"
    assert stage.text() == "Hello 0 of 30, 320 pixels wide"
    assert page.get_attribute("data-same") == "yes"


def test_a_small_picture_shows_its_frame_in_its_place_also_after_a_scene_that_cannot_be_drawn(stage: Stage) -> None:
    stage.as_tile()
    stage.show("export default function S() { throw new Error('boom'); }")
    assert stage.text() == "This scene cannot be drawn: boom"
    assert stage.show(TITLE)["type"] == "shown"
    assert stage.text() == "Hello 15 of 30, 320 wide"
    inside = stage.page.frame_locator("iframe").locator("#stage > div > div")
    box = inside.evaluate(
        "each => { const { x, y, width, height } = each.getBoundingClientRect(); return [x, y, width, height]; }"
    )
    assert box == [40, 20, 160, 90]
    page = stage.page.frame_locator("iframe").locator("html")
    assert page.evaluate("html => getComputedStyle(html).backgroundColor") == "rgba(0, 0, 0, 0)"


BROKEN = {
    "export default function S() { throw new Error('boom'); }": "boom",
    "const a = 1; const a = 2; export default () => null;": "already been declared",
    "export const S = 1;": "no function as default export",
    'import { nothing } from "@millrace/scene"; export default nothing;': "nothing",
    'import "left-pad"; export default () => null;': "left-pad",
}
"""Scenes that cannot be drawn, and what is said of each."""


def test_a_broken_scene_is_told_and_the_next_one_is_drawn(stage: Stage) -> None:
    for code, message in BROKEN.items():
        stage.show(code)
        error = stage.errors()[0]
        assert error["id"] == "a"
        assert message in error["message"]
        if message == "boom":  # it was loaded, and broke when it was drawn
            assert stage.text() == "This scene cannot be drawn: boom"
        assert stage.show(TITLE)["type"] == "shown"
        assert stage.text() == "Hello 0 of 30, 320 wide"


SENDERS = {
    "fetch": "fetch('{url}/fetch').catch(() => {{}})",
    "beacon": "navigator.sendBeacon('{url}/beacon', 'x')",
    "image": "new Image().src = '{url}/image'",
    "websocket": "try {{ new WebSocket('{url}/ws'.replace('http', 'ws')) }} catch {{}}",
    "event source": "try {{ new EventSource('{url}/es') }} catch {{}}",
    "css": "const s = document.createElement('style'); s.textContent = \"@import url('{url}/css');"
    " body {{ background: url('{url}/bg') }} @font-face {{ font-family: X; src: url('{url}/font') }}\";"
    " document.head.append(s); document.body.style.fontFamily = 'X'; document.body.append('x')",
    "links": "for (const rel of ['prefetch', 'preload', 'stylesheet', 'dns-prefetch', 'preconnect', 'modulepreload',"
    " 'icon', 'manifest']) {{ const l = document.createElement('link'); l.rel = rel; l.as = 'script';"
    " l.href = '{url}/link-' + rel; document.head.append(l) }}",
    "script": "const s = document.createElement('script'); s.src = '{url}/script'; document.head.append(s)",
    "import": "import('{url}/import').catch(() => {{}})",
    "worker": "try {{ new Worker(URL.createObjectURL(new Blob([\"fetch('{url}/worker')\"]))) }} catch {{}}",
    "form": "const f = document.createElement('form'); f.action = '{url}/form'; document.body.append(f);"
    " try {{ f.submit() }} catch {{}}",
    "popup": "try {{ open('{url}/popup') }} catch {{}}",
    "frame": "const f = document.createElement('iframe'); f.src = '{url}/frame'; document.body.append(f)",
    "object": "const o = document.createElement('object'); o.data = '{url}/object'; document.body.append(o)",
    "media": "const v = document.createElement('video'); v.src = '{url}/video'; document.body.append(v)",
    "svg": "const n = 'http://www.w3.org/2000/svg', s = document.createElementNS(n, 'svg'),"
    " i = document.createElementNS(n, 'image'); i.setAttribute('href', '{url}/svg'); s.append(i);"
    " document.body.append(s)",
    "base": "const b = document.createElement('base'); b.href = '{url}/'; document.head.append(b);"
    " const i = new Image(); i.src = 'base'; document.body.append(i)",
    "top address": "try {{ top.location = '{url}/top' }} catch {{}}",
    "webrtc": "try {{ const p = new RTCPeerConnection({{ iceServers: [{{ urls: 'stun:127.0.0.1:{udp}' }}] }});"
    " p.createDataChannel('x'); p.createOffer().then((o) => p.setLocalDescription(o)) }} catch {{}}",
    "webrtc of a child frame": "try {{ const f = document.createElement('iframe'); document.body.append(f);"
    " const p = new f.contentWindow.RTCPeerConnection({{ iceServers: [{{ urls: 'stun:127.0.0.1:{udp}' }}] }});"
    " p.createDataChannel('x'); p.createOffer().then((o) => p.setLocalDescription(o)) }} catch {{}}",
}


LEAVERS = {
    "own address": "location.href = '{url}/self'",
    "meta": "const m = document.createElement('meta'); m.httpEquiv = 'refresh'; m.content = '0; url={url}/meta';"
    " document.head.append(m)",
}
"""What would take the frame to another page: the policy of the page around it stops that, and the stage is gone."""


@pytest.mark.parametrize("is_tile", [pytest.param(False, id="film"), pytest.param(True, id="small picture")])
def test_nothing_that_a_scene_sends_arrives(stage: Stage, server: CountingServer, is_tile: bool) -> None:
    if is_tile:
        stage.as_tile()
    for name, body in SENDERS.items():
        assert stage.tries(body.format(url=server.url, udp=server.udp_port))["type"] == "shown", name
    for body in LEAVERS.values():
        with stage.page.expect_console_message(lambda message: "frame-src" in message.text):
            stage.leave(body.format(url=server.url))
        stage.open()
        if is_tile:
            stage.as_tile()
    # The browser reaches the server, and this arrives after whatever the scenes have sent.
    other = stage.tab.context.new_page()
    other.goto(f"{server.url}/control")
    other.close()
    assert "GET /control HTTP/1.1" in server.arrivals
    assert [each for each in server.arrivals if "/control" not in each and "/favicon" not in each] == []


FORBIDDEN = (
    "eval('1')",
    "new Function('return 1')()",
    "localStorage.x = 1",
    "document.cookie = 'a=1'",
    "indexedDB.open('x')",
    "parent.document.title = 'x'",
    "parent.sessionStorage.getItem('millrace.tokens')",
    "new Worker('data:text/javascript,1')",
    "new RTCPeerConnection()",
)


def test_a_scene_has_no_access_to_code_storage_the_page_or_its_peers(stage: Stage) -> None:
    for attempt in FORBIDDEN:
        stage.tries(attempt)
        assert stage.errors(), f"{attempt} succeeded"
        assert stage.show(TITLE)["type"] == "shown"


def test_a_scene_hears_nothing_of_the_channels_of_the_page(stage: Stage) -> None:
    stage.tab.evaluate(
        "() => { window.told = []; window.tabs = new BroadcastChannel('millrace.projects');"
        " tabs.onmessage = ({ data }) => told.push(data); }"
    )
    tries = (
        "const c = new BroadcastChannel('millrace.projects'); c.postMessage('from the scene');"
        " c.onmessage = ({ data }) => parent.postMessage({ type: 'overheard', data }, '*')"
    )
    assert stage.tries(tries)["type"] == "shown"
    other = Tab(stage.tab.context.new_page())
    other.page.goto(stage.page.url)
    other.evaluate("() => new BroadcastChannel('millrace.projects').postMessage('from a tab')")
    stage.page.wait_for_function("told.length > 0")
    other.page.close()
    assert stage.tab.evaluate("told") == ["from a tab"]
    stage.show(TITLE)  # what the scene has heard would arrive before this
    overheard = {each["data"] for each in stage.heard if each["type"] == "overheard"}
    assert overheard <= {"from the scene"}  # it hears itself, if it is drawn twice


def test_the_stage_ignores_other_windows_than_the_one_around_it(tab: Tab, stack: LocalStack) -> None:
    tab.page.goto(f"{stack.api_url}/console")
    with tab.context.expect_page() as opened:
        tab.evaluate("() => { window.opened = open('/stage'); }")
    alone = opened.value
    alone.wait_for_load_state()
    assert alone.evaluate("origin") == "null"
