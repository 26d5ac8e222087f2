"""`make permissions`: record in docs/permissions.json every AWS action that a function or state machine uses.

With `--application haiku` only this application's scenario runs, and what it uses is added to the record.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from local.stack import ROOT
from tests.permissions.scenario import as_record, missing, run_scenario
from tools.validate_template.permission_rules import RECORD


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status: 0; 1 if a role was refused something or cannot run here, and then nothing is recorded."""
    parser = argparse.ArgumentParser(prog="make permissions", description=__doc__)
    parser.add_argument("--application", help="run this one's scenario only, and add to the record")
    application = parser.parse_args(arguments).application
    if lacking := missing(application):
        sys.stdout.write(f"not every function can run here: {'; '.join(lacking)}\n")
        return 1
    accesses = run_scenario(application)
    for role, action, arn in accesses["refused"]:
        sys.stdout.write(f"{role} was refused {action} on {arn}: allow it in infra/, or do not use it\n")
    if accesses["refused"]:
        return 1
    file = ROOT / RECORD
    earlier = json.loads(file.read_text()) if application else {}
    file.write_text(json.dumps(as_record(accesses, earlier), indent=2) + "\n")
    sys.stdout.write(f"{RECORD}: written; make validate compares template.yaml with it\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
