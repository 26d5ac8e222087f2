"""Check 3: cfn-lint on every state machine's definition, because cfn-lint does not read a DefinitionUri itself."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.validate_template.document import Document
from tools.validate_template.findings import Finding
from tools.validate_template.sam_environment import cfn_lint

_ANY_FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:any"


def lint_definitions(template: Path) -> list[Finding]:
    """Return cfn-lint's findings of a template with each definition as a plain state machine."""
    machines = {
        machine.logical_id: {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {
                "RoleArn": "arn:aws:iam::123456789012:role/any",
                "Definition": machine.definition,
                # An ARN for every placeholder: cfn-lint checks what is in `Resource`.
                "DefinitionSubstitutions": dict.fromkeys(machine.substitutions, _ANY_FUNCTION),
            },
        }
        for machine in Document.read(template).state_machines
        if machine.definition is not None
    }
    with TemporaryDirectory() as folder:
        wrapped = Path(folder) / "definitions.json"
        wrapped.write_text(json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": machines}))
        return [
            Finding(finding.place.replace(".Properties.Definition", "", 1), finding.message)
            for finding in cfn_lint(wrapped)
        ]
