"""The Python client of Millrace: it calls every operation of the API and watches jobs live.

    with Millrace("https://api.example.com", token) as millrace:
        suggestions = millrace.run_job("suggestion", {"pageOrComponent": "Checkout", ...})

`AsyncMillrace` has the same methods for asyncio. The README has more.
"""

from millrace_client._async.client import AsyncMillrace
from millrace_client._async.watch import AsyncWatch
from millrace_client._sync.client import Millrace
from millrace_client._sync.watch import Watch
from millrace_client.errors import JobCancelled, JobFailed, MillraceError, Refused, Unreachable, Unreadable
from millrace_client.view import JobView, UnknownEvent, WatchedEvent

__all__ = [
    "AsyncMillrace",
    "AsyncWatch",
    "JobCancelled",
    "JobFailed",
    "JobView",
    "Millrace",
    "MillraceError",
    "Refused",
    "UnknownEvent",
    "Unreachable",
    "Unreadable",
    "Watch",
    "WatchedEvent",
]
