"""Follows a job's stream from a separate process and prints one line of JSON per event, until the job has ended.

The token comes from the environment variable MILLRACE_TOKEN, because every user can read the arguments of a process.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from local.api.client import ClientError, JobsClient


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0 after the job's end, 1 if the stream cannot be followed to its end."""
    parser = argparse.ArgumentParser(prog="python -m local.demo.watch", description=__doc__)
    parser.add_argument("stream_url", help="the streamUrl in the response to the creation of the job")
    parser.add_argument("--after", type=int, default=0, help="the number of the last event that is already known")
    options = parser.parse_args(arguments)
    try:
        with JobsClient(options.stream_url, os.environ.get("MILLRACE_TOKEN", "")) as client:
            for received in client.follow(options.stream_url, after=options.after):
                event = received.event.model_dump(mode="json")
                print(json.dumps({"id": received.id, "event": event}), flush=True)
    except ClientError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
