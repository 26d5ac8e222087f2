"""Signs in the name of the function that is running, where functions share a process and so its environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from botocore.credentials import Credentials, ReadOnlyCredentials

_ROLE: ContextVar[str | None] = ContextVar("role", default=None)


@contextmanager
def signing_as(role: str) -> Iterator[None]:
    """Whatever boto3 sends from here, and from the threads and tasks that come of it, is signed by the role."""
    token = _ROLE.set(role)
    try:
        yield
    finally:
        _ROLE.reset(token)


def install() -> None:
    """Make boto3 heed `signing_as`; once per process. Clients are shared, but ask for the key at each request."""
    frozen_of = Credentials.get_frozen_credentials

    def of_the_role(self: Credentials) -> ReadOnlyCredentials:
        frozen = frozen_of(self)
        role = _ROLE.get()
        return frozen if role is None else frozen._replace(access_key=role)

    Credentials.get_frozen_credentials = of_the_role  # type: ignore[method-assign]
