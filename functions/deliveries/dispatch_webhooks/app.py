"""Changes of jobs, from the stream of JobsTable: make the deliveries to the endpoints that want to be told."""

from typing import Any

from shared.bootstrap import core
from shared.runtime.batch import handle_transitions
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return handle_transitions(event, core().webhook_dispatch.batch().handle).response
