"""A stack that keeps its log lines, its spans and its reports to Sentry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.stack import LocalStack
from tests.api_user import ApiUser
from tests.observability.sentry_ingest import SentryIngest
from tests.patience import ALLOWANCE, WITHOUT_TOKEN_TIMEOUT


@dataclass(frozen=True, slots=True)
class WatchedStack:
    """A stack with its log files; `log_dir` has one file for each process."""

    stack: LocalStack
    log_dir: Path
    sentry: SentryIngest

    def logs(self) -> str:
        return "\n".join(file.read_text() for file in sorted(self.log_dir.glob("*.log")))

    def lines(self) -> list[dict[str, Any]]:
        """Return the log lines of our own code, without the lines of metrics."""
        found = [json.loads(line) for line in self.logs().splitlines() if line.startswith("{")]
        return [line for line in found if "message" in line]

    def everything(self) -> str:
        """Return everything that the functions send out, except their responses."""
        return "\n".join([self.logs(), self.stack.xray.text(), *self.sentry.envelopes])


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedStack]:
    log_dir = tmp_path_factory.mktemp("logs")
    with SentryIngest() as sentry:
        variables = {"SENTRY_DSN": sentry.dsn, "SENTRY_RELEASE": "release-7", "POWERTOOLS_LOG_LEVEL": "DEBUG"}
        variables |= WITHOUT_TOKEN_TIMEOUT
        with LocalStack(environment=variables, log_dir=log_dir, allowance=ALLOWANCE) as stack:
            yield WatchedStack(stack, log_dir, sentry)


@pytest.fixture
def watched_user(watched: WatchedStack) -> Iterator[ApiUser]:
    user = ApiUser(watched.stack)
    yield user
    user.close()
