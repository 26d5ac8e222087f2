"""Scripts of the model server for the browser tests."""

from __future__ import annotations

import uuid

from local.model.control import ModelControl
from tests.api_user import AT_ONCE, ApiUser, data_of

SLOW = "token_ms=10, first_token_ms=0"
"""The model writes for three to four seconds."""
PAUSES = "token_ms=0, first_token_ms=0, pause_after=60"
"""The model pauses after about 300 characters, until `ApiUser.release`."""


def job_that_hangs(user: ApiUser, model: ModelControl) -> str:
    """Return the id of a new job. Its model stops after about 300 characters; a second attempt completes at once."""
    page = f"Page {uuid.uuid4().hex}"
    model.script(match=page, times=1, hang_after=60, token_ms=2, first_token_ms=0)
    answer = user.create(pageOrComponent=page, additionalContext=f"[[script: {AT_ONCE}]]")
    return str(data_of(answer, 202)["jobId"])
