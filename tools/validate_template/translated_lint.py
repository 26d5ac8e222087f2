"""Check 2, the transformed template under cfn-lint: what CloudFormation would really be given."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from tools.validate_template.findings import Finding
from tools.validate_template.sam_environment import cfn_lint, run

_TRANSLATE = Path(__file__).with_name("translate.py")


def lint_translated(template: Path) -> list[Finding]:
    """Finds wrong values inside SAM resources (a runtime, an InvokeMode), which `sam validate` passes."""
    with TemporaryDirectory() as folder:
        translated = Path(folder) / "translated.json"
        finished = run("python", str(_TRANSLATE), str(template), str(translated))
        if not translated.exists():
            said = finished.stdout if finished.stdout.strip() else finished.stderr
            return [Finding(template.name, line) for line in said.strip().splitlines()[-10:]]
        # A value from Globals is wrong in every function alike: one line says it.
        return list(dict.fromkeys(cfn_lint(translated)))
