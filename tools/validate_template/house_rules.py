"""Check 4: this project's own rules for the template and for each state machine, which no linter knows."""

from __future__ import annotations

from pathlib import Path

from tools.validate_template.api_rules import check_api
from tools.validate_template.document import Document
from tools.validate_template.findings import Finding
from tools.validate_template.function_rules import check_functions
from tools.validate_template.policy_rules import check_policies
from tools.validate_template.state_machine_rules import check_state_machines


def check_house_rules(template: Path) -> list[Finding]:
    """Return the findings of every rule."""
    document = Document.read(template)
    return [
        *check_functions(document),
        *check_api(document),
        *check_policies(document),
        *check_state_machines(document),
    ]
