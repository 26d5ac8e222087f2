"""Schedule SweepSessions, every hour: give up, clean and remove sessions whose time is over."""

from typing import Any

from shared.apps.sheets.bootstrap import session_sweep
from shared.runtime.invocation import observed


@observed
def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    return session_sweep().run().model_dump(mode="json")
