"""The handlers in this process, on a table of the stack's moto that nobody else uses."""

from __future__ import annotations

import asyncio
import functools
import importlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.aws.credentials import aws_environment
from local.lambda_.functions import Context
from local.stack import AUDIENCE, ROOT, LocalStack
from local.template.template import Template
from shared import bootstrap
from shared.agents.agent import Agent
from shared.agents.service import AGENTS_PER_OWNER
from shared.jobs.job import Job
from shared.storage import aws, secrets
from shared.storage.agents import DynamoAgentStore
from shared.storage.jobs import DynamoJobStore
from tests.api_user import AT_ONCE, brainstorming
from tests.layout import event_file, module_of

JOB_ID = "job_01jd8x2v5n7k3q9w4t6y8z0abc"
"""The job the events are about; its owner is their caller."""
AGENT_ID = "agt_01jd8x2v5n7k3q9w4t6y8z0abc"
OWNER = "user-1"


def load_event(name: str) -> dict[str, Any]:
    """Return the event of `events/<group>/<name>.json`."""
    loaded: dict[str, Any] = json.loads(event_file(name).read_text())
    return loaded


@pytest.fixture(scope="session")
def client() -> Callable[[str], Any]:
    """The product's AWS clients, kept beyond a test: each takes botocore a tenth of a second to make."""
    return functools.cache(aws.client.__wrapped__)


@pytest.fixture
def tables(stack: LocalStack, client: Callable[[str], Any]) -> Iterator[dict[str, str]]:
    """Fresh tables, on which this process's functions now work: the variable that names one → its name."""
    template = Template(
        ROOT / "template.yaml",
        parameters={"OidcIssuer": stack.issuer_url, "OidcAudience": AUDIENCE, "ModelBaseUrl": stack.model_url},
        attributes={
            "StreamJobFunction.FunctionUrl": stack.stream_url,
            "StreamJobFunctionUrl.FunctionUrl": stack.stream_url,
        },
    )
    declared = {table.name: table.definition for table in template.tables}
    named = {
        variable: f"events-{variable}-{uuid.uuid4().hex}"
        for variable, value in template.functions[0].environment.items()
        if value in declared
    }
    for variable, name in named.items():
        definition = declared[template.functions[0].environment[variable]]
        stack.client("dynamodb").create_table(**{**definition, "TableName": name})
    with pytest.MonkeyPatch.context() as environment:
        for function in template.functions:
            for variable, value in function.environment.items():
                environment.setenv(variable, value)
        for variable, value in {**aws_environment(stack.aws_url), **named}.items():
            environment.setenv(variable, value)
        environment.setattr(aws, "client", client)
        _forget_adapters()
        yield named
    _forget_adapters()
    for name in named.values():
        stack.client("dynamodb").delete_table(TableName=name)


def _forget_adapters() -> None:
    """They are kept for the life of a process, which here has several tables."""
    for made in (*vars(bootstrap).values(), secrets.secret):
        if hasattr(made, "cache_clear"):
            made.cache_clear()


def _context(function: str) -> Context:
    return Context(
        aws_request_id=str(uuid.uuid4()),
        function_name=f"millrace-{function}",
        invoked_function_arn=f"arn:aws:lambda:eu-west-1:123456789012:function:millrace-{function}",
        memory_limit_in_mb="512",
        log_group_name=f"/aws/lambda/millrace-{function}",
        deadline=time.time() + 30,
    )


@pytest.fixture
def handle(tables: dict[str, str]) -> Iterator[Callable[..., Any]]:
    """`handle("create_job.valid")`: what the file's function answers to its event, with fields of it replaced."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # as on Lambda's main thread, for Mangum

    def run(name: str, **changes: Any) -> Any:
        function = name.split(".", maxsplit=1)[0]
        module = importlib.import_module(module_of(function))
        return module.handler({**load_event(name), **changes}, _context(function))

    yield run
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def jobs(tables: dict[str, str]) -> DynamoJobStore:
    return DynamoJobStore(tables["TABLE_NAME"], clock=lambda: datetime.now(UTC))


@pytest.fixture
def put(jobs: DynamoJobStore) -> Callable[..., Job]:
    """`put("haiku", {"topic": "rivers"})` stores the events' job, as it is right after its creation."""
    return functools.partial(_put, jobs)


@pytest.fixture
def put_job(jobs: DynamoJobStore) -> Callable[..., Job]:
    """Stores the events' job, as it is right after its creation; `script` tells its model what to do."""

    def put(script: str = AT_ONCE) -> Job:
        job_input = {
            "pageOrComponent": f"Page {uuid.uuid4().hex}",
            "featureType": "enhancement",
            "priorityLevel": "high",
            "additionalContext": f"[[script: {script}]]",
        }
        return _put(jobs, "suggestion", job_input)

    return put


@pytest.fixture
def put_ideation(jobs: DynamoJobStore) -> Callable[..., Job]:
    """`put_job` for a brainstorming job, without the run that creating it would have opened."""

    def put(script: str = AT_ONCE, **fields: Any) -> Job:
        return _put(jobs, "ideation", {**brainstorming(script), **fields})

    return put


def _put(jobs: DynamoJobStore, pipeline: str, job_input: dict[str, Any]) -> Job:
    now = datetime.now(UTC)
    job = Job(
        id=JOB_ID,
        owner=OWNER,
        pipeline=pipeline,
        input=job_input,
        model="gpt-4.1-mini",
        request_id="request-1",
        execution_arn=f"arn:aws:states:us-east-1:123456789012:execution:millrace-{pipeline}:{JOB_ID}",
        created_at=now,
        updated_at=now,
        expires_at=int((now + timedelta(hours=1)).timestamp()),
    )
    jobs.put_new(job)
    return job


@pytest.fixture
def agents(tables: dict[str, str]) -> DynamoAgentStore:
    return DynamoAgentStore(tables["DURABLE_TABLE_NAME"], clock=lambda: datetime.now(UTC))


@pytest.fixture
def agent(agents: DynamoAgentStore) -> Agent:
    """The events' agent, in its first version."""
    now = datetime.now(UTC)
    made = Agent(
        id=AGENT_ID,
        owner=OWNER,
        version=1,
        name="Terse",
        instructions="One sentence per text.",
        temperature=0.2,
        created_at=now,
        updated_at=now,
    )
    agents.put_new(made, limit=AGENTS_PER_OWNER)
    return made
