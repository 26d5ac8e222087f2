"""Signs each request with the role of the function that makes it, where functions share one process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from botocore.credentials import Credentials, ReadOnlyCredentials

_ROLE: ContextVar[str | None] = ContextVar("role", default=None)


@contextmanager
def signing_as(role: str) -> Iterator[None]:
    """Sign with this role all that boto3 sends inside the block, and in threads and tasks that copy its context."""
    token = _ROLE.set(role)
    try:
        yield
    finally:
        _ROLE.reset(token)


def install() -> None:
    """Make boto3 follow `signing_as`. Call it once: clients are shared, but they read the key for each request."""
    frozen_of = Credentials.get_frozen_credentials

    def of_the_role(self: Credentials) -> ReadOnlyCredentials:
        frozen = frozen_of(self)
        role = _ROLE.get()
        return frozen if role is None else frozen._replace(access_key=role)

    Credentials.get_frozen_credentials = of_the_role  # type: ignore[method-assign]
