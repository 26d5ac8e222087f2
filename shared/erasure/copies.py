"""The copies of an owner's data that an erasure cannot reach, and how long each lasts."""

from __future__ import annotations

from collections.abc import Iterator

from shared.schema import Schema

TRACE_DAYS = 30
"""How long X-Ray keeps traces. https://docs.aws.amazon.com/xray/latest/devguide/aws-xray.html"""

EXECUTION_DAYS = 90
"""How long Step Functions keeps the history of a Standard execution that has ended.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

RECOVERY_DAYS = 35
"""How far back DurableTable can be restored. A contract test holds that it is the only table that can."""

JOB_FILE_DAYS = 3
"""When S3 has deleted the files of a job at the latest: it counts whole days from the two of the lifecycle rule on."""

UPLOAD_DAYS = 2
"""When S3 has deleted an upload at the latest that no request has completed: as above, with one day."""


class Copy(Schema):
    """A copy that Millrace cannot erase: where it is, what it holds, and after how many days it is gone at the latest.

    `days` is null if that is not Millrace's to say.
    """

    name: str
    holds: str
    days: int | None


def copies_outside(*, log_days: int, reports_errors: bool) -> tuple[Copy, ...]:
    """Return the copies. Logs are kept for `log_days`. `reports_errors` says whether errors are sent elsewhere too."""
    return tuple(_copies(log_days, reports_errors=reports_errors))


def _copies(log_days: int, *, reports_errors: bool) -> Iterator[Copy]:
    yield Copy(name="logs", holds="ids of jobs and requests, without a word of inputs and outputs", days=log_days)
    yield Copy(name="traces", holds="ids and times of requests and stages", days=TRACE_DAYS)
    yield Copy(name="executions", holds="ids, states and times of jobs", days=EXECUTION_DAYS)
    yield Copy(
        name="recovery",
        holds="runs, agents, sessions and projects as they were, which only the operator can restore",
        days=RECOVERY_DAYS,
    )
    yield Copy(
        name="expiredJobs",
        holds="events and outputs of jobs that had expired before, which no reader finds",
        days=JOB_FILE_DAYS,
    )
    yield Copy(name="uploads", holds="an upload that was sent after its project was erased", days=UPLOAD_DAYS)
    yield Copy(name="modelProvider", holds="inputs and outputs, as long as the provider's terms say", days=None)
    yield Copy(name="identityProvider", holds="your account, with which you sign in", days=None)
    yield Copy(name="backups", holds="what the operator has copied, such as exports of tables", days=None)
    if reports_errors:
        yield Copy(name="errorReports", holds="ids of requests that failed, with the failing code", days=None)
