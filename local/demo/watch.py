"""Follows a job from a separate process and prints one line of JSON per event, until the job has ended.

It prints an empty line when it is ready, and reads the URL of the job's stream from its first line of input: a process
that starts before its job is not late on a busy machine. With `--channel URL` it follows over this WebSocket channel
instead. The token comes from the environment variable MILLRACE_TOKEN, because every user can read the arguments of a
process.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from local.api.channel_follower import ChannelFollower
from local.api.client import ClientError, JobsClient, Received


def _over_stream(url: str, token: str) -> Iterator[Received]:
    with JobsClient(url, token) as client:
        yield from client.follow(url)


def _over_channel(channel_url: str, token: str, stream_url: str) -> Iterator[Received]:
    """Print a line when the job is subscribed to, as the stream's first event says that it is connected."""
    job_id = urlsplit(stream_url).path.split("/")[-2]
    subscribed = json.dumps({"id": None, "event": {"type": "subscribed"}})
    yield from ChannelFollower(channel_url, token, job_id, opened=lambda: print(subscribed, flush=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status: 0 after the job's end or without a URL, 1 if the stream cannot be followed to its end."""
    parser = argparse.ArgumentParser(prog="python -m local.demo.watch", description=__doc__)
    parser.add_argument("--channel", metavar="URL", help="follow over this WebSocket channel")
    channel_url = parser.parse_args(arguments).channel
    print(flush=True)
    url = sys.stdin.readline().strip()
    if not url:
        return 0
    token = os.environ.get("MILLRACE_TOKEN", "")
    try:
        for received in _over_stream(url, token) if channel_url is None else _over_channel(channel_url, token, url):
            event = received.event.model_dump(mode="json")
            print(json.dumps({"id": received.id, "event": event}), flush=True)
    except ClientError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
