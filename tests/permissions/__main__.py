"""`make permissions`: record in docs/permissions.json every AWS action that a function or state machine uses."""

from __future__ import annotations

import json
import sys

from local.stack import ROOT
from tests.permissions.scenario import as_record, run_scenario
from tools.validate_template.permission_rules import RECORD


def main() -> int:
    accesses = run_scenario()
    for role, action, arn in accesses["refused"]:
        sys.stdout.write(f"{role} was refused {action} on {arn}: allow it in template.yaml, or do not use it\n")
    if accesses["refused"]:
        return 1
    (ROOT / RECORD).write_text(json.dumps(as_record(accesses), indent=2) + "\n")
    sys.stdout.write(f"{RECORD}: written; make validate compares template.yaml with it\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
