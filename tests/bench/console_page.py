"""`make bench-console`: the work of the console's job page while a model writes, and its first visit, in Chromium.

Drawing: the page of a job of feature suggestions gets a text that grows in every frame, through a real watch, with the
CPU throttled four times. The work of a frame must not grow with the text. Three pages are drawn: one with many cards,
the same one with the model output open, and one with a single long card. `--static` names the static folder of another
version, which is drawn in the same run; `--rounds` draws both in turn.

Lists: the list of jobs with thousands of jobs, see console_lists.py.

First visit: the modules and, if `make build` has been run, the bundle, on simulated networks.

These are the times of one machine; the ratios within a run are what to compare.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from playwright.sync_api import Browser, Page, sync_playwright

from shared.errors import NotFound
from shared.web.site import FILES_AT, Site
from tests.bench.console_lists import JOBS, LATENCY, lists
from tests.browser import chromium
from tests.contract.build_output import CONSOLE, bundle_missing
from tests.layout import ROOT

STATIC = ROOT / "functions/console/static"
THROTTLED = 4
NETWORKS = {"none": None, "slow 4G": (150, 1_600), "slow 3G": (400, 400)}
"""Round trip in milliseconds and kilobits a second."""
GROWTH = 2.0
"""With `--check`, the last frames may cost at most this many times what the first cost."""

KINDS = ("cards", "model output", "one card")

SIZES = (1_000, 100_000, 300_000, 600_000)
"""Characters of the text at which frames are measured; an hour of events at 200 a second is about 700,000."""

DRAW = Path(__file__).with_name("console_drawing.js").read_text()

EMPTY = """
async (frames) => {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  await frame();
  const begun = performance.now();
  for (let index = 0; index < frames; index += 1) await frame();
  return (frames / (performance.now() - begun)) * 1000;
}
"""


@contextmanager
def serving(site: Site) -> Iterator[str]:
    """Serve a site as the console's function does, with a configuration of nothing, and yield its origin."""
    config: dict[str, object] = {"issuer": "http://127.0.0.1", "clientId": "c", "streamUrl": "http://127.0.0.1"}
    config |= {"defaultModel": "m", "models": ["m"], "scriptedModel": True}
    config["retention"] = {"jobSeconds": 600, "failedJobSeconds": 3600, "archiveDays": 30}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path == "/console/config.json":
                self._send(200, {"Content-Type": "application/json"}, json.dumps({"data": config}).encode())
                return
            headers = [(name.lower().encode(), value.encode()) for name, value in self.headers.items()]
            request = Request({"type": "http", "method": "GET", "path": path, "headers": headers})
            try:
                name = path.removeprefix(FILES_AT)
                response = site.file(name, request) if path.startswith(FILES_AT) else site.page(request)
            except NotFound:
                self._send(404, {}, b"")
            else:
                self._send(response.status_code, dict(response.headers), bytes(response.body))

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in ({**headers, "Content-Length": str(len(body))}).items():
                if name.lower() != "content-length" or name == "Content-Length":
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing: the report is what the bench prints."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def drawn(browser: Browser, origin: str, kind: str, frames: int) -> list[dict[str, float]]:
    """Draw a text that grows, with the CPU throttled, and return what frames cost at each size."""
    page = browser.new_page()
    page.goto(origin)
    page.get_by_role("main").get_by_role("button", name="Sign in").wait_for()
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": THROTTLED})
    rows: list[dict[str, float]] = page.evaluate(
        DRAW, {"at": f"{origin}{FILES_AT}", "kind": kind, "sizes": SIZES, "frames": frames, "step": 20}
    )
    page.close()
    return rows


def empty_rate(browser: Browser, frames: int) -> float:
    """Return how many frames a second this machine draws of an empty page, with the CPU not throttled."""
    page = browser.new_page()
    rate: float = page.evaluate(EMPTY, frames)
    page.close()
    return rate


def first_visit(browser: Browser, origin: str, network: tuple[int, int] | None) -> dict[str, Any]:
    """Open the home page without a cache; return its requests, bytes and milliseconds until it shows its button."""
    page: Page = browser.new_context().new_page()
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    if network is not None:
        bytes_a_second = network[1] * 1_000 / 8
        limits = {"offline": False, "latency": network[0], "downloadThroughput": bytes_a_second}
        session.send("Network.emulateNetworkConditions", limits | {"uploadThroughput": bytes_a_second})
    page.goto(origin, wait_until="commit")
    page.get_by_role("main").get_by_role("button", name="Sign in").wait_for()
    shown = page.evaluate("performance.now()")
    page.wait_for_load_state("networkidle")
    page.context.close()
    return {"requests": len(sizes), "bytes": int(sum(sizes)), "milliseconds": round(shown)}


def report_drawing(browser: Browser, folder: Path, kind: str, frames: int) -> float:
    """Draw with the modules of a folder, and return how many times more a frame costs at the end than at 100,000."""
    with serving(Site(folder, connects_to=[])) as origin:
        rows = drawn(browser, origin, kind, frames)
    empty = empty_rate(browser, frames)
    say(f"{kind}: frames of a text that grows, CPU throttled {THROTTLED} times, medians; modules of {folder}")
    say(" characters   fps  of an empty page's  over 50 ms  with new text  draw ms  layout ms  mutations")
    for row in rows:
        rates = f"{row['size']:11,}{row['fps']:6.0f}{row['fps'] / empty:20.0%}{row['slow']:12.0f}"
        say(f"{rates}{row['drawings']:15.0%}{row['draw']:9.2f}{row['layout']:11.2f}{row['records']:11.0f}")
    cost = [row["draw"] + row["layout"] for row in rows]
    growth = cost[-1] / cost[1]
    say(f"drawing and layout at {SIZES[-1]:,} characters cost {growth:.2f} times what they cost at {SIZES[1]:,}")
    return growth


def report_lists(browser: Browser, folder: Path) -> None:
    with serving(Site(folder, connects_to=[])) as origin:
        quick, requests = lists(browser, origin, throttled=1)
        slow, _ = lists(browser, origin, throttled=THROTTLED)
    say(f"list of {JOBS:,} jobs, ms, an API that answers after {LATENCY} ms, {requests} requests; modules of {folder}")
    say(f"{'':50}{'CPU as it is':>14}{f'throttled {THROTTLED} times':>19}")
    for name, milliseconds in quick.items():
        say(f"{name:50}{milliseconds:14.0f}{slow[name]:19.0f}")


def report_visits(browser: Browser, name: str, folder: Path) -> None:
    with serving(Site(folder, connects_to=[])) as origin:
        for network, limits in NETWORKS.items():
            found = first_visit(browser, origin, limits)
            say(
                f"first visit, {name}, network {network}: {found['requests']} requests, "
                f"{found['bytes']:,} bytes, {found['milliseconds']:,} ms"
            )


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-console", description=__doc__)
    parser.add_argument("--frames", type=int, default=60, help="frames measured at each size")
    parser.add_argument("--static", type=Path, help="the static folder of another version, to draw beside this one")
    parser.add_argument("--kind", action="append", choices=KINDS, help="draw only this page; may be repeated")
    parser.add_argument("--rounds", type=int, default=1, help="how often each version is drawn, in turn")
    parser.add_argument("--only", choices=("drawing", "lists", "visits"), help="measure only this")
    parser.add_argument("--check", action="store_true", help=f"fail if frames cost {GROWTH} times more at the end")
    options = parser.parse_args()
    stale = bundle_missing()
    folders = [STATIC] if options.static is None else [options.static, STATIC]
    wanted = (options.only,) if options.only else ("drawing", "lists", "visits")
    growth = 0.0
    with sync_playwright() as playwright, chromium.launched(playwright) as browser:
        for kind in (options.kind or KINDS) * options.rounds if "drawing" in wanted else ():
            growth = max([report_drawing(browser, folder, kind, options.frames) for folder in folders][-1], growth)
        for folder in folders * options.rounds if "lists" in wanted else ():
            report_lists(browser, folder)
        if "visits" in wanted:
            report_visits(browser, "modules", STATIC)
            if stale is None:
                report_visits(browser, "bundle", CONSOLE)
            else:
                say(stale)
    return 1 if options.check and growth > GROWTH else 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
