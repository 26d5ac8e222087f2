"""Schedule SweepDeliveries, every five minutes: queue the deliveries whose next attempt is due."""

from typing import Any

from shared.bootstrap import core
from shared.runtime.invocation import observed


@observed
def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    return core().delivery_sweep.run().model_dump(mode="json")
