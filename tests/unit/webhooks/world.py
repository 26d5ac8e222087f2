"""One job's owner with an endpoint, and the whole way from a change of the job to the receiver, on fakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from shared.jobs.ids import new_job_id
from shared.jobs.job import Job, JobStatus
from shared.jobs.transitions import JobTransition
from shared.webhooks.attempts import AttemptResult, WebhookAttempts
from shared.webhooks.delivery import Delivery
from shared.webhooks.delivery_log import DeliveryLog
from shared.webhooks.delivery_store import DeliveryQueue, DeliveryStore
from shared.webhooks.dispatch import WebhookDispatch
from shared.webhooks.due import EVERY, DeliverySweep
from shared.webhooks.endpoint import SigningKey, WebhookEndpoint, WebhookEventType, new_endpoint_id
from shared.webhooks.sender import Outcome, WebhookSender
from shared.webhooks.store import WebhookStore
from tests.fakes.clock import NOON, SettableClock
from tests.fakes.core import a_job
from tests.fakes.deliveries import FakeDeliveryQueue, FakeDeliveryStore, FakeSender, Request
from tests.fakes.webhooks import FakeWebhookStore, fake_webhook_secrets

ALL_TYPES = tuple(WebhookEventType)


def an_endpoint(owner: str = "ada", **fields: Any) -> WebhookEndpoint:
    values: dict[str, Any] = {
        "id": new_endpoint_id(int(NOON.timestamp() * 1000)),
        "owner": owner,
        "url": "https://hooks.example/in",
        "event_types": ALL_TYPES,
        "signing_keys": (SigningKey(version=1, master_key=1),),
        "created_at": NOON,
        "updated_at": NOON,
    }
    return WebhookEndpoint(**{**values, **fields})


def a_transition(
    status: JobStatus = JobStatus.COMPLETED,
    *,
    before: JobStatus | None = JobStatus.IN_PROGRESS,
    job: Job | None = None,
    at: datetime = NOON,
    **fields: Any,
) -> JobTransition:
    changed = (job or a_job(new_job_id(int(at.timestamp() * 1000)))).model_copy(
        update={"status": status, "updated_at": at, **fields}
    )
    return JobTransition(changed, before, at, f"record of {changed.id} {status}")


class World:
    """The services on fakes, with one clock. `sender` answers every request with 200 until a test says otherwise."""

    def __init__(self, *, wrap: Callable[[Any], Any] = lambda port: port) -> None:
        """`wrap` returns what the services use instead of each port."""
        self.clock = SettableClock()
        self.endpoints = FakeWebhookStore()
        self.deliveries = FakeDeliveryStore(clock=self.clock)
        self.queue = FakeDeliveryQueue(clock=self.clock)
        self.sender = FakeSender()
        self.results: dict[str, Mapping[str, Any]] = {}
        endpoints: WebhookStore = wrap(self.endpoints)
        deliveries: DeliveryStore = wrap(self.deliveries)
        queue: DeliveryQueue = wrap(self.queue)
        sender: WebhookSender = wrap(self.sender)
        self.dispatch = WebhookDispatch(
            endpoints=endpoints,
            deliveries=deliveries,
            queue=queue,
            result_of=lambda job: self.results.get(job.id),
            api_url="https://api.example",
        )
        self.attempts = WebhookAttempts(
            endpoints=endpoints,
            deliveries=deliveries,
            queue=queue,
            sender=sender,
            secrets=fake_webhook_secrets(self.clock),
            clock=self.clock,
        )
        self.sweep = DeliverySweep(deliveries=deliveries, queue=queue, clock=self.clock)
        self.log = DeliveryLog(endpoints=endpoints, deliveries=deliveries, queue=queue, clock=self.clock)

    def with_endpoint(self, **fields: Any) -> WebhookEndpoint:
        endpoint = an_endpoint(**fields)
        self.endpoints.put_new(endpoint, limit=20)
        return endpoint

    def endpoint(self, endpoint: WebhookEndpoint) -> WebhookEndpoint:
        """Return the endpoint as it is stored now."""
        stored = self.endpoints.get(endpoint.owner, endpoint.id)
        assert stored is not None
        return stored

    def happens(self, transition: JobTransition) -> int:
        return self.dispatch.batch().handle(transition)

    def receive(self) -> list[AttemptResult]:
        """Handle the messages that are received by now, also those that handling sends for now."""
        results = []
        while taken := self.queue.take():
            results += [self.attempts.attempt(ref) for ref in taken]
        return results

    def pass_time(self, seconds: float) -> list[AttemptResult]:
        """Let time pass, with a sweep every five minutes, and handle each message at its time."""
        results = []
        end = self.clock() + timedelta(seconds=seconds)
        swept = self.clock()
        while (now := self.clock()) < end:
            moments = [end, swept + EVERY, *(each.at for each in self.queue.messages[:1])]
            self.clock.advance(max((min(moments) - now).total_seconds(), 0))
            if self.clock() >= swept + EVERY:
                swept = self.clock()
                self.sweep.run()
            results += self.receive()
        return results

    def only_delivery(self, endpoint: WebhookEndpoint) -> Delivery:
        [delivery] = self.deliveries.list_of(
            endpoint.owner, endpoint.id, status=None, limit=100, cursor=None
        ).deliveries
        return delivery


def always(outcome: Outcome) -> Callable[[Request], Outcome]:
    return lambda _: outcome


def in_turn(*outcomes: Outcome) -> Callable[[Request], Outcome]:
    """Return an answer with each outcome once, and then with 200."""
    left = list(outcomes)
    return lambda _: left.pop(0) if left else Outcome(12, 200)
