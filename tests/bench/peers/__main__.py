"""`make bench-peers`: measure one job on Millrace's local stack and on its peers, in one run."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
from rich.console import Console

from local.model.control import ModelControl
from tests.bench.peers.dbos import Dbos
from tests.bench.peers.langgraph import LangGraph
from tests.bench.peers.losses import Losses
from tests.bench.peers.measuring import Bench, Killed, Measured, Rounds
from tests.bench.peers.millrace import OTHER_STORES, Millrace
from tests.bench.peers.peer import ROOT, Peer
from tests.bench.peers.process import NotStarted, Service, free_port
from tests.bench.peers.report import killed_cell, markdown, row
from tests.bench.peers.system import System, Unavailable
from tests.bench.peers.taskiq import Taskiq
from tests.bench.watched_job import BenchmarkBroken

PEERS: dict[str, list[Peer]] = {
    "taskiq": [Taskiq()],
    "langgraph": [LangGraph()],
    "dbos": [Dbos(0), Dbos(100)],
}

_told = Console(stderr=True, highlight=False)


@contextlib.contextmanager
def model_server() -> Iterator[str]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="millrace-model-") as folder:
        service = Service(
            [sys.executable, "-m", "local.model.server", "--port", str(port)],
            cwd=Path(folder),
            ready=f"http://127.0.0.1:{port}/healthz",
            environment={"PYTHONPATH": str(ROOT)},
        )
        service.start()
        try:
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            service.stop()


def measure_millrace(bench: Bench, model_url: str) -> Iterator[list[str]]:
    """Measure times with threads, as `make bench` does, and a killed worker with functions in separate processes."""
    timed = Millrace("threads")
    measured = Measured()
    with _running(timed, model_url):
        measured.speed = bench.speed_of(timed)
        measured.paced, measured.at_full_speed = dropped(bench, timed)
    yield row(timed.name, replace(measured, killed=killed_in_processes(bench, model_url, "chat_completions")))
    responses = killed_in_processes(bench, model_url, "responses")
    yield row(Millrace("processes", "responses").name, Measured(killed=responses))
    for store in OTHER_STORES:
        elsewhere = Millrace("threads", store=store)
        try:
            with _running(elsewhere, model_url):
                yield row(elsewhere.name, Measured(bench.speed_of(elsewhere), *dropped(bench, elsewhere)))
        except Unavailable as reason:
            yield [elsewhere.name, f"not measured: {reason}"]


def killed_in_processes(bench: Bench, model_url: str, model_api: str) -> list[Killed]:
    system = Millrace("processes", model_api)
    with _running(system, model_url):
        return bench.killed(system)


def dropped(bench: Bench, system: System) -> tuple[list[Losses], list[Losses]]:
    """Return the losses of dropped connections at the job's speed, and with a model at full speed."""
    return bench.dropped(system, token_ms=5), bench.dropped(system, token_ms=0)


@contextlib.contextmanager
def _running(system: System, model_url: str) -> Iterator[None]:
    _told.print(f"{system.name}: {system.note}")
    with system.running(model_url):
        yield


def measure_peer(bench: Bench, peer: System, model_url: str) -> list[str]:
    try:
        with _running(peer, model_url):
            cells = row(peer.name, Measured(bench.speed_of(peer), *dropped(bench, peer)))
            try:
                cells[-1] = killed_cell(bench.killed(peer))
            except (BenchmarkBroken, httpx.HTTPError) as error:
                cells[-1] = f"not measured: {error or type(error).__name__}"
            return cells
    except (Unavailable, NotStarted, BenchmarkBroken, httpx.HTTPError, OSError) as error:
        return [peer.name, f"not measured: {error or type(error).__name__}"]


def machine() -> str:
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    cores = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    return f"{platform.system()} {platform.machine()}, {cores}; load {load}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="10 jobs alone, 40 together, 3 dropped, 1 killed in each")
    parser.add_argument("--only", nargs="*", choices=[*PEERS], default=[*PEERS], help="beside Millrace")
    options = parser.parse_args()
    # End the peers' processes also when a signal ends this one.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    began, before = time.monotonic(), machine()
    with model_server() as model_url, ModelControl(model_url) as model:
        bench = Bench(model, Rounds.of(options.rounds))
        rows = [*measure_millrace(bench, model_url)]
        rows += [measure_peer(bench, peer, model_url) for name in options.only for peer in PEERS[name]]
    sys.stdout.write(f"\n{before} at the start, {machine().rpartition('; ')[2]} at the end; ")
    sys.stdout.write(f"rounds {options.rounds}, {time.monotonic() - began:.0f} s\n\n{markdown(rows)}\n")


if __name__ == "__main__":
    main()
