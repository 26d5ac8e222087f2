"""Two implementations of the ports: in memory, and on servers with the tables and bucket of template.yaml."""

from __future__ import annotations

import contextlib
import json
import os
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.template.template import Template
from shared.agents.store import AgentStore
from shared.apps.sheets.session_store import SessionStore
from shared.apps.sheets.storage.sessions import DynamoSessionStore
from shared.apps.sheets.storage.workbook_data import S3WorkbookData
from shared.apps.video.brain.cache import DecisionCache
from shared.apps.video.image_store import ImageFiles, ImageStore
from shared.apps.video.preferences import PreferenceStore
from shared.apps.video.project_store import ProjectStore
from shared.apps.video.rendering.render_store import RenderFiles, RenderStore
from shared.apps.video.rendering.turns import RenderTurns
from shared.apps.video.storage.decisions import DynamoDecisionCache
from shared.apps.video.storage.images import DynamoImageStore, S3ImageFiles
from shared.apps.video.storage.preferences import DynamoPreferenceStore
from shared.apps.video.storage.projects import DynamoProjectStore
from shared.apps.video.storage.renders import DynamoRenderStore, DynamoRenderTurns, S3RenderFiles
from shared.archive.retention import ArchiveDays
from shared.archive.store import ArchiveStore, OwnerKeys
from shared.channel.connections import ConnectionStore
from shared.channel.subscriptions import SubscriptionStore
from shared.jobs.checkpoints import CheckpointStore
from shared.jobs.executions import Executions
from shared.jobs.idempotency import IdempotencyKeys
from shared.jobs.store import JobStore
from shared.limits.records import RecordStore
from shared.log.event_log import EventLog
from shared.runs.store import RunStore
from shared.storage import aws
from shared.storage.agents import DynamoAgentStore
from shared.storage.archive import S3ArchiveStore
from shared.storage.byte_cache import ByteCache
from shared.storage.checkpoints import DynamoCheckpointStore
from shared.storage.connections import DynamoConnectionStore
from shared.storage.event_log import DynamoEventLog
from shared.storage.executions import StepFunctionsExecutions
from shared.storage.jobs import DynamoJobStore
from shared.storage.large_texts import LargeTexts
from shared.storage.objects import Objects
from shared.storage.owner_keys import DynamoOwnerKeys
from shared.storage.records import DynamoIdempotencyKeys, DynamoRecordStore
from shared.storage.runs import DynamoRunStore
from shared.storage.subscriptions import DynamoSubscriptionStore
from shared.storage.webhook_deliveries import DynamoDeliveryStore
from shared.storage.webhooks import DynamoWebhookStore
from shared.webhooks.delivery_store import DeliveryStore
from shared.webhooks.store import WebhookStore
from tests.fakes.agents import FakeAgentStore
from tests.fakes.archive import FakeArchiveStore, FakeOwnerKeys
from tests.fakes.channel import FakeConnectionStore, FakeSubscriptionStore
from tests.fakes.checkpoints import FakeCheckpointStore
from tests.fakes.clock import SettableClock
from tests.fakes.decisions import FakeDecisionCache
from tests.fakes.deliveries import FakeDeliveryStore
from tests.fakes.event_log import FakeEventLog
from tests.fakes.executions import FakeExecutions
from tests.fakes.images import FakeImageFiles, FakeImageStore
from tests.fakes.jobs import FakeJobStore
from tests.fakes.projects import FakePreferenceStore, FakeProjectStore
from tests.fakes.records import FakeIdempotencyKeys, FakeRecordStore
from tests.fakes.renders import FakeRenderFiles, FakeRenderStore, FakeRenderTurns
from tests.fakes.runs import FakeRunStore
from tests.fakes.sessions import FakeSessionStore
from tests.fakes.webhooks import FakeWebhookStore
from tests.fakes.workbook_data import FakeWorkbookData
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).resolve().parents[2]

ARCHIVE_DAYS = ArchiveDays(standard=2, linked=10)


@dataclass
class AwsServer:
    """The address of the adapters' services; `clients` are the product's AWS clients for it.

    `url` is moto's, also where DynamoDB is on DynamoDB Local.
    """

    url: str
    table: str = ""
    durable_table: str = ""
    channel_table: str = ""
    deliveries_table: str = ""
    bucket: str = ""
    machine_prefix: str = ""
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = aws.client.__wrapped__(service)
        return self.clients[service]

    @property
    def dynamodb(self) -> DynamoDBClient:
        return self.client("dynamodb")  # type: ignore[no-any-return]

    @property
    def s3(self) -> S3Client:
        return self.client("s3")  # type: ignore[no-any-return]

    @contextlib.contextmanager
    def requests_of_botocore(self) -> Iterator[Any]:
        """Let botocore make the requests of the client of DynamoDB, so that its events and its Stubber see them."""
        with pytest.MonkeyPatch.context() as patching:
            patching.delattr(self.dynamodb, "_make_api_call")
            yield self.dynamodb

    def fail_next(self, operation: str, *, count: int = 1) -> None:
        """Make moto's DynamoDB refuse the next calls of this operation as throttled."""
        body = json.dumps({"operation": operation, "count": count}).encode()
        urllib.request.urlopen(f"{self.url}/_millrace/faults", data=body, timeout=PATIENCE).close()


def create_tables(dynamodb: DynamoDBClient) -> dict[str, str]:
    """Create the tables of template.yaml for this process; return their names by logical id.

    The processes of a run may share a server, and some tests read a whole table.
    """
    tables = Template(ROOT / "template.yaml").tables
    names = {table.logical_id: f"{table.name}-{os.getpid()}" for table in tables}
    for table in tables:
        # After a slow response boto repeats the request, and then it finds the table of its first one.
        with contextlib.suppress(dynamodb.exceptions.ResourceInUseException):
            dynamodb.create_table(**{**table.definition, "TableName": names[table.logical_id]})
    return names


def create_resources(server: AwsServer) -> None:
    tables = create_tables(server.dynamodb)
    server.table, server.durable_table = tables["JobsTable"], tables["DurableTable"]
    server.channel_table = tables["ChannelTable"]
    server.deliveries_table = tables["DeliveriesTable"]
    server.bucket = Template(ROOT / "template.yaml").buckets[0]
    server.s3.create_bucket(Bucket=server.bucket)
    waits = {"StartAt": "Waiting", "States": {"Waiting": {"Type": "Wait", "Seconds": 600, "End": True}}}
    created = server.client("stepfunctions").create_state_machine(
        name="ports-poem", definition=json.dumps(waits), roleArn="arn:aws:iam::123456789012:role/ports"
    )
    server.machine_prefix = created["stateMachineArn"].removesuffix("poem")


@dataclass(frozen=True)
class Ports:
    """One implementation of every port, with one clock."""

    clock: SettableClock
    jobs: JobStore
    log: EventLog
    checkpoints: CheckpointStore
    records: RecordStore
    keys: IdempotencyKeys
    executions: Executions
    agents: AgentStore
    webhooks: WebhookStore
    deliveries: DeliveryStore
    runs: RunStore
    archive: ArchiveStore
    owner_keys: OwnerKeys
    sessions: SessionStore
    workbook_data: FakeWorkbookData | S3WorkbookData
    images: ImageStore
    image_files: ImageFiles
    connections: ConnectionStore
    subscriptions: SubscriptionStore
    projects: ProjectStore
    preferences: PreferenceStore
    decisions: DecisionCache
    renders: RenderStore
    render_turns: RenderTurns
    render_files: RenderFiles


def fakes() -> Ports:
    clock = SettableClock()
    projects = FakeProjectStore()
    return Ports(
        clock=clock,
        jobs=FakeJobStore(clock=clock),
        log=FakeEventLog(),
        checkpoints=FakeCheckpointStore(),
        records=FakeRecordStore(),
        keys=FakeIdempotencyKeys(clock=clock),
        executions=FakeExecutions(),
        agents=FakeAgentStore(clock=clock),
        webhooks=FakeWebhookStore(),
        deliveries=FakeDeliveryStore(clock=clock),
        runs=FakeRunStore(),
        archive=FakeArchiveStore(days=ARCHIVE_DAYS, clock=clock),
        owner_keys=FakeOwnerKeys(),
        sessions=FakeSessionStore(),
        workbook_data=FakeWorkbookData(clock=clock),
        images=FakeImageStore(projects),
        image_files=FakeImageFiles(clock=clock),
        connections=FakeConnectionStore(),
        subscriptions=FakeSubscriptionStore(),
        projects=projects,
        preferences=FakePreferenceStore(projects),
        decisions=FakeDecisionCache(clock=clock),
        renders=FakeRenderStore(projects),
        render_turns=FakeRenderTurns(),
        render_files=FakeRenderFiles(),
    )


def adapters(server: AwsServer) -> Ports:
    clock = SettableClock()
    artefacts = LargeTexts(server.bucket)
    return Ports(
        clock=clock,
        jobs=DynamoJobStore(server.table, clock=clock),
        log=DynamoEventLog(server.table, artefacts),
        checkpoints=DynamoCheckpointStore(server.table, artefacts),
        records=DynamoRecordStore(server.table),
        keys=DynamoIdempotencyKeys(server.table, clock=clock),
        executions=StepFunctionsExecutions(server.machine_prefix),
        agents=DynamoAgentStore(server.durable_table, clock=clock),
        webhooks=DynamoWebhookStore(server.durable_table),
        deliveries=DynamoDeliveryStore(server.deliveries_table, clock=clock),
        runs=DynamoRunStore(server.durable_table, LargeTexts(server.bucket, folder="runs")),
        archive=S3ArchiveStore(server.bucket, days=ARCHIVE_DAYS, clock=clock),
        owner_keys=DynamoOwnerKeys(server.durable_table),
        sessions=DynamoSessionStore(server.durable_table, server.table),
        workbook_data=workbook_data(server),
        images=DynamoImageStore(server.durable_table),
        image_files=S3ImageFiles(Objects(server.bucket), clock=clock),
        connections=DynamoConnectionStore(server.channel_table),
        subscriptions=DynamoSubscriptionStore(server.channel_table),
        projects=project_store(server),
        preferences=DynamoPreferenceStore(server.durable_table),
        decisions=DynamoDecisionCache(server.table, clock=clock),
        renders=DynamoRenderStore(server.durable_table),
        render_turns=DynamoRenderTurns(server.durable_table),
        render_files=S3RenderFiles(Objects(server.bucket)),
    )


def project_store(server: AwsServer) -> DynamoProjectStore:
    """Return the adapter without a cache, so that it returns what is stored."""
    none = ByteCache[tuple[str, str]](most_bytes=0)
    return DynamoProjectStore(server.durable_table, server.bucket, count=lambda *_: None, cache=none)


def workbook_data(server: AwsServer, *, cache: ByteCache[str] | None = None) -> S3WorkbookData:
    """Return the adapter with its own cache: the process's cache would return what another test has stored."""
    none = ByteCache[str](most_bytes=0)
    return S3WorkbookData(Objects(server.bucket), clock=SettableClock(), count=lambda *_: None, cache=cache or none)
