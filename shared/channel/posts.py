"""Post messages to connections: the port to API Gateway's management API."""

from __future__ import annotations

from typing import Protocol


class ConnectionGone(Exception):
    """The connection has ended, so nothing can be sent on it."""


class ChannelPosts(Protocol):
    """Send messages to connections, and close connections."""

    def post(self, connection_id: str, message: str) -> None:
        """Send the message, JSON text of at most 128 KB.

        Raises:
            ConnectionGone: the connection has ended.
            TransientFault: API Gateway throttles, or could not be reached.
        """

    def close(self, connection_id: str) -> None:
        """Close the connection, unless it has ended. Raises TransientFault, as `post` does."""
