"""Transform SAM to CloudFormation without a call to AWS: `translate.py TEMPLATE OUTPUT`, run in `.venv-sam`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from samcli.yamlhelper import yaml_parse
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

# Packaging a template replaces local paths with S3 addresses, and the translator accepts only those.
_UPLOADED = ("CodeUri", "ContentUri", "DefinitionUri")


def translate(template: Path, output: Path) -> list[str]:
    """Write the transformed template; return the translator's objections, one sentence each."""
    document = yaml_parse(template.read_text())
    for resource in document["Resources"].values():
        properties = resource.get("Properties", {})
        for name in _UPLOADED:
            if isinstance(properties.get(name), str):
                properties[name] = "s3://packaged/artefact"
    try:
        # The translator asks IAM only for managed policies that it does not know; the template names none.
        output.write_text(json.dumps(Translator({}, Parser()).translate(document, {}), indent=1))
    except InvalidDocumentException as error:
        return [cause.message for cause in error.causes]
    return []


if __name__ == "__main__":
    for sentence in (objections := translate(Path(sys.argv[1]), Path(sys.argv[2]))):
        print(sentence)
    sys.exit(1 if objections else 0)
