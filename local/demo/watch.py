"""Follows a job's stream from a separate process and prints one line of JSON per event, until the job has ended.

It prints an empty line when it is ready, and reads the URL of the stream from its first line of input: a process that
starts before its job is not late on a busy machine. The token comes from the environment variable MILLRACE_TOKEN,
because every user can read the arguments of a process.
"""

from __future__ import annotations

import json
import os
import sys

from local.api.client import ClientError, JobsClient


def main() -> int:
    """Return the exit status: 0 after the job's end or without a URL, 1 if the stream cannot be followed to its end."""
    print(flush=True)
    url = sys.stdin.readline().strip()
    if not url:
        return 0
    try:
        with JobsClient(url, os.environ.get("MILLRACE_TOKEN", "")) as client:
            for received in client.follow(url):
                event = received.event.model_dump(mode="json")
                print(json.dumps({"id": received.id, "event": event}), flush=True)
    except ClientError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
