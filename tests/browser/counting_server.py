"""A server that notes everything that reaches it: HTTP requests, bytes of other protocols, and UDP packets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class CountingServer:
    """`arrivals` has what arrived, before it is answered."""

    def __init__(self) -> None:
        self.arrivals: list[str] = []
        noted = self.arrivals

        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                line = self.rfile.readline(65_536)
                if line:
                    noted.append(line.decode("latin-1").strip())
                self.wfile.write(b"HTTP/1.0 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\n\r\n")
                self.close_connection = True

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        self._threads = [
            threading.Thread(target=self._http.serve_forever, daemon=True),
            threading.Thread(target=self._note_packets, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def udp_port(self) -> int:
        port: int = self._udp.getsockname()[1]
        return port

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        # An empty packet ends the thread, which would otherwise wait for the next one.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waking:
            waking.sendto(b"", self._udp.getsockname())
        for thread in self._threads:
            thread.join()
        self._udp.close()

    def _note_packets(self) -> None:
        while packet := self._udp.recvfrom(2048)[0]:
            self.arrivals.append(f"UDP {packet[:20]!r}")


@contextmanager
def counting() -> Iterator[CountingServer]:
    """Run a server until the end of the block."""
    server = CountingServer()
    try:
        yield server
    finally:
        server.close()
