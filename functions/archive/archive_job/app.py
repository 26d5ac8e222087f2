"""Stream of JobsTable: archive the jobs that have ended, and add what they have used to the ledger."""

from typing import Any

from shared.bootstrap import core
from shared.runtime.batch import handle_transitions
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    batch = handle_transitions(event, core().job_archival.archive)
    core().usage_accounts.count(batch.results)
    return batch.response
