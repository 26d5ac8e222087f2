"""Import a built function in a new interpreter as Lambda's runtime does, invoke it once, and end.

Standard input: `{"event", "context", "restored"}`. Standard output is the function's own; the file that the argument
names gets `{"answer", "restored_seconds"}`. The parent gets the CPU time of the process from the kernel.

`restored`: fork instead of taking a SnapStart snapshot: the parent runs everything up to and including the
before-snapshot hooks, and only the child's CPU time is counted.
"""

import importlib
import json
import os
import sys
from types import SimpleNamespace
from typing import Any


def first_invocation(request: dict[str, Any]) -> dict[str, Any]:
    module = importlib.import_module("app")
    if not request["restored"]:
        return {
            "answer": module.handler(
                request["event"], SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000, **request["context"])
            )
        }
    runtime = importlib.import_module("snapshot_restore_py")
    while runtime.get_before_snapshot():
        hook, positional, named = runtime.get_before_snapshot().pop()
        hook(*positional, **named)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        for hook, positional, named in runtime.get_after_restore():
            hook(*positional, **named)
        answer = module.handler(
            request["event"], SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000, **request["context"])
        )
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f"the restored process ended with status {status}")
    return {"answer": json.loads(answer), "restored_seconds": usage.ru_utime + usage.ru_stime}


result = first_invocation(json.load(sys.stdin))
with open(sys.argv[1], "w", encoding="utf-8") as output:
    json.dump(result, output)
sys.stdout.flush()
os._exit(0)
