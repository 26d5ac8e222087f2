"""Follows a job's stream from a process of its own: one line of JSON per event, until the job has ended.

The token is read from the environment variable MILLRACE_TOKEN, so that it stands in no list of processes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from local.api.client import ClientError, JobsClient
from shared.log.events import STREAM_EVENT


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 after the job's end, 1 when the stream cannot be followed to it."""
    parser = argparse.ArgumentParser(prog="python -m local.demo.watch", description=__doc__)
    parser.add_argument("stream_url", help="as creating the job has answered it")
    parser.add_argument("--after", type=int, default=0, help="the last event already seen")
    options = parser.parse_args(arguments)
    try:
        with JobsClient(options.stream_url, os.environ.get("MILLRACE_TOKEN", "")) as client:
            for received in client.follow(options.stream_url, after=options.after):
                event = STREAM_EVENT.dump_python(received.event, mode="json")
                print(json.dumps({"id": received.id, "event": event}), flush=True)
    except ClientError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
