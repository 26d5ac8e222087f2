"""Post messages to connections through API Gateway's management API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.channel.posts import ConnectionGone
from shared.errors import StorageThrottled
from shared.storage.aws import channel_management, storage_faults

THROTTLE = "LimitExceededException"
"""The code of API Gateway's refusal of too many posts."""


class ApiGatewayPosts:
    """The ChannelPosts on API Gateway; the port describes the methods."""

    def __init__(self, channel_url: str) -> None:
        """`channel_url` is what clients connect to: `wss://…/live`."""
        self._endpoint = "http" + channel_url.removeprefix("ws")

    def post(self, connection_id: str, message: str) -> None:
        with _refusals():
            channel_management(self._endpoint).post_to_connection(ConnectionId=connection_id, Data=message.encode())

    def close(self, connection_id: str) -> None:
        try:
            with _refusals():
                channel_management(self._endpoint).delete_connection(ConnectionId=connection_id)
        except ConnectionGone:
            return


@contextmanager
def _refusals() -> Iterator[None]:
    """Raise ConnectionGone or a TransientFault instead of botocore's errors."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see storage/aws.py

    try:
        with storage_faults():
            yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code == THROTTLE:
            raise StorageThrottled("the channel throttles messages; try again") from error
        # API Gateway answers 400 for an id that no connection can have.
        if code in {"GoneException", "BadRequestException"}:
            raise ConnectionGone from error
        raise
