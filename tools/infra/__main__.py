"""`make template`: write template.yaml from the fragments in infra/, or check that it is what they make.

Exit status: 0; 1 when a fragment breaks a rule, or, with --check, when template.yaml differs; 2 for wrong arguments.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.infra.blocks import CannotUnite
from tools.infra.stack import Stack

ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="make template", description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository's folder")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when template.yaml would change")
    options = parser.parse_args(arguments)
    template = options.root / "template.yaml"
    try:
        text = Stack(options.root / "infra").text()
    except CannotUnite as error:
        print(error, file=sys.stderr)
        return 1
    if not options.check:
        template.write_text(text)
        return 0
    found = template.read_text() if template.is_file() else ""
    if found == text:
        return 0
    changes = difflib.unified_diff(found.splitlines(), text.splitlines(), "template.yaml", "infra/", lineterm="", n=1)
    print("\n".join(list(changes)[:20]))
    print("template.yaml is not what infra/ makes: run `make template` and commit the result", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
