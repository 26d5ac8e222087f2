"""Import all modules that the processes of a stack import until they have run a job, for `tests/stack_forks.py`."""

from __future__ import annotations

import importlib

import httptools  # noqa: F401
import moto.dynamodb.urls
import moto.iam.access_control
import moto.s3.urls
import moto.secretsmanager.urls
import moto.stepfunctions.urls  # noqa: F401
import uvicorn.protocols.http.httptools_impl  # noqa: F401
import uvloop  # noqa: F401

import local.api.server
import local.api.stream
import local.aws.server
import local.model.server  # noqa: F401
from local.aws import moto_stepfunctions
from local.stack import with_allowance
from local.template.template import Template
from tests.layout import MODULES, ROOT
from tests.patience import ALLOWANCE

for module in ("local.model.scene_decisions", "pydantic.v1", *MODULES.values()):
    importlib.import_module(module)
moto_stepfunctions.install_parser_cache()
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser  # noqa: E402 - as above

for machine in Template(ROOT / "template.yaml").state_machines:
    AmazonStateLanguageParser.parse(with_allowance(machine.definition, ALLOWANCE))
