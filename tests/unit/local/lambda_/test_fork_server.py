"""Processes that are forks of one server are like processes of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.lambda_.fork_server import ForkConnection, Forked, ForkServer, SharedForkServer, Start, connect
from tests.api_user import wait_until
from tests.layout import ROOT

TOLD = """
import json, os, sys, helper
print(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ), helper.__file__, sorted(os.listdir("/dev/fd"))]))
sys.exit(3)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    started = ForkServer([ROOT], {"PATH": os.environ["PATH"], "OF_THE_SERVER": "x"}, modules=())
    yield started
    started.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "helper.py").touch()
    (tmp_path / "told.py").write_text(TOLD)
    (tmp_path / "waiting.py").write_text("import signal\nprint('ready', flush=True)\nsignal.pause()\n")
    return tmp_path


def start(server: ForkConnection, folder: Path, *arguments: str) -> Forked:
    environment = {"PYTHONPATH": str(folder), "OF_THE_FORK": "y"}
    with (folder / "output").open("ab") as output:
        return server.start(Start(arguments, cwd=str(folder), environment=environment), output)


def test_a_fork_has_its_own_arguments_folder_environment_modules_and_output(server: ForkServer, folder: Path) -> None:
    fork = start(server, folder, "told", "one", "two")

    assert fork.wait() == 3
    arguments, cwd, environment, helper, descriptors = json.loads((folder / "output").read_text())
    assert (arguments, cwd, helper) == (["one", "two"], str(folder), str(folder / "helper.py"))
    assert environment == {"PYTHONPATH": str(folder), "OF_THE_FORK": "y"}
    assert descriptors == ["0", "1", "2", "3"]  # the last one is of the listing
    assert not fork.alive


def test_the_signal_that_ends_a_fork_is_its_status_and_other_forks_continue(server: ForkServer, folder: Path) -> None:
    first, second = start(server, folder, "waiting"), start(server, folder, "waiting")
    assert first.pid != second.pid
    assert [first.alive, second.alive] == [True, True]

    os.kill(first.pid, signal.SIGKILL)

    assert first.wait() == -signal.SIGKILL
    assert not first.alive
    assert second.alive
    second.kill()
    assert second.wait() == -signal.SIGKILL
    second.kill()  # has no effect


def test_the_status_of_a_fork_can_be_waited_for_with_a_limit(server: ForkServer, folder: Path) -> None:
    fork = start(server, folder, "waiting")
    with pytest.raises(subprocess.TimeoutExpired):
        fork.wait(0)
    assert fork.poll() is None

    fork.terminate()

    assert fork.wait() == -signal.SIGTERM
    assert (fork.poll(), fork.wait(0)) == (-signal.SIGTERM, -signal.SIGTERM)
    fork.terminate()  # has no effect


def test_a_fork_gets_a_socket_with_its_number_as_the_last_argument(server: ForkServer, folder: Path) -> None:
    (folder / "telling.py").write_text(
        "import socket, sys\nsocket.socket(fileno=int(sys.argv[-1])).sendall(repr(sys.argv[1:-1]).encode())\n"
    )
    process = Start(["telling", "--fd"], cwd=str(folder), environment={"PYTHONPATH": str(folder)})
    ours, theirs = socket.socketpair()
    with ours:
        with theirs, (folder / "output").open("ab") as output:
            fork = server.start(process, output, theirs)
        assert fork.wait() == 0
        assert ours.recv(100) == b"['--fd']"
        assert ours.recv(100) == b"", "the server or another fork has it as well"


def test_a_fork_ends_with_the_process_that_started_it(server: ForkServer, folder: Path) -> None:
    fork = start(server, folder, "waiting")
    pid = fork.pid
    report = fork._report

    del fork  # closes the other end of its standard input, as the end of the process does

    assert report.readline() == "1\n", pid
    report.close()


def test_the_server_continues_if_the_process_that_started_a_fork_ends_before_it(
    server: ForkServer, folder: Path
) -> None:
    fork = start(server, folder, "waiting")
    fork._report.close()  # as the end of the process does

    os.kill(fork.pid, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{fork.pid}").exists())

    assert start(server, folder, "told").wait() == 3


def test_a_server_that_has_ended_starts_nothing(folder: Path) -> None:
    server = ForkServer([ROOT], {"PATH": os.environ["PATH"]}, modules=())
    os.kill(server._process.pid, signal.SIGKILL)
    server._process.wait()

    with pytest.raises(OSError, match=r"Broken pipe|reset|ended"):
        start(server, folder, "waiting")
    server.close()


def test_each_connection_to_a_shared_server_has_a_server_whose_forks_continue(folder: Path) -> None:
    shared = SharedForkServer(folder / "address", [ROOT], {"PATH": os.environ["PATH"]}, modules=())
    first, second = connect(folder / "address"), connect(folder / "address")
    try:
        forks = [start(first, folder, "waiting"), start(second, folder, "waiting"), start(second, folder, "told")]
        assert forks[2].wait() == 3
        parents = {_parent_of(fork.pid) for fork in forks[:2]}
        assert len(parents) == 2
        assert {_parent_of(pid) for pid in parents} == {shared._process.pid}

        first.close()
        with pytest.raises(OSError, match=r"closed|Bad file"):
            start(first, folder, "waiting")
        assert start(second, folder, "told").wait() == 3
        shared.close()
        with pytest.raises(ConnectionRefusedError):
            connect(folder / "address")

        assert start(second, folder, "told").wait() == 3
        assert [fork.alive for fork in forks] == [True, True, False]
        forks[1].terminate()
        assert forks[1].wait() == -signal.SIGTERM
    finally:
        second.close()
        shared.close()
        for fork in forks:
            fork.kill()
            fork.wait()


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
