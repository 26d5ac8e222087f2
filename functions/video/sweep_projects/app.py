"""Schedule SweepProjects, every hour: remove what was stored for projects after their deletion."""

from typing import Any

from shared.apps.video.bootstrap import project_sweep
from shared.runtime.invocation import observed


@observed
def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    return project_sweep().run().model_dump(mode="json")
