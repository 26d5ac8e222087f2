"""Build the keys of both tables; docs/data-model.md lists which code reads what by them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

JOB = "JOB"
"""Sort key of a job."""

ERASED = "ERASED"
"""Sort key of the note that a job was erased, which keeps processes from storing it again."""

DELETED = "DELETED"
"""Sort key of the note that a run was deleted."""

SNAPSHOT = "SNAP"
"""Sort key of a log's snapshot."""

EVENT_PREFIX = "EVT#"
"""Prefix of the sort keys of event batches."""

CHECKPOINT_PREFIX = "CKPT#"
"""Prefix of the sort keys of checkpoints."""

RUN = "RUN"
"""Sort key of a run."""

TRANSFORM = "TRANSFORM"
"""First part of the sort keys of transforms."""

ARTEFACT = "ARTEFACT"
"""First part of the sort keys of artefacts."""

VERSION_PREFIX = "V#"
"""Prefix of the sort keys of agent versions."""


def job_partition(job_id: str) -> str:
    """Return the partition key of a job, its log and its checkpoints."""
    return f"JOB#{job_id}"


def id_in(item: Mapping[str, Any]) -> str:
    """Return the id in the partition key of a job's, run's or agent's item."""
    return str(item["PK"]["S"]).partition("#")[2]


def user_partition(owner: str) -> str:
    """Return the partition key of an owner's limits, idempotency keys and counts."""
    return f"USER#{owner}"


def event(seq: int) -> str:
    """Return the sort key of a batch by its first sequence number, padded with zeros so that batches sort in order."""
    return f"{EVENT_PREFIX}{seq:010d}"


def checkpoint(stage: str, fence: str) -> str:
    """Return the sort key of the checkpoint that the attempt with this fence wrote for the stage."""
    return f"{CHECKPOINT_PREFIX}{stage}#{fence}"


def record(name: str) -> str:
    """Return the sort key of a limit's record."""
    return f"LIMIT#{name}"


def idempotency(key_hash: str) -> str:
    """Return the sort key of a hashed idempotency key."""
    return f"IDEM#{key_hash}"


def run(run_id: str) -> dict[str, str]:
    """Return the key of a run."""
    return {"PK": f"RUN#{run_id}", "SK": RUN}


def transform(run_id: str, transform_id: str) -> dict[str, str]:
    """Return the key of a transform. Transforms sort by time, because their ids do."""
    return {"PK": f"RUN#{run_id}", "SK": f"{TRANSFORM}#{transform_id}"}


def artefact(run_id: str, role: str, version: int) -> dict[str, str]:
    """Return the key of an artefact, which is one version of a role."""
    return {"PK": f"RUN#{run_id}", "SK": f"{ARTEFACT}#{role}#{version:06d}"}


def link_partition(owner: str, kind: str, entity_id: str) -> str:
    """Return the partition key of the items that list the owner's jobs of an entity; `kind` is the link's API name."""
    return f"LINK#{kind}#{owner}#{entity_id}"


def link(owner: str, kind: str, entity_id: str, ulid: str) -> dict[str, str]:
    """Return the key of the item that lists a job under an entity. Jobs sort by time, because their ULIDs do."""
    return {"PK": link_partition(owner, kind, entity_id), "SK": f"JOB#{ulid}"}


def agent(agent_id: str) -> dict[str, str]:
    """Return the key of an agent's latest version."""
    return {"PK": f"AGENT#{agent_id}", "SK": "AGENT"}


def agent_version(agent_id: str, version: int) -> dict[str, str]:
    """Return the key of one version of an agent."""
    return {"PK": f"AGENT#{agent_id}", "SK": f"{VERSION_PREFIX}{version:010d}"}


def agent_count(owner: str) -> dict[str, str]:
    """Return the key of the number of agents that an owner has."""
    return {"PK": user_partition(owner), "SK": "COUNT#agents"}


def webhook_partition(owner: str) -> str:
    """Return the partition key of an owner's webhook endpoints."""
    return f"WEBHOOKS#{owner}"


def webhook(owner: str, endpoint_id: str) -> dict[str, str]:
    """Return the key of a webhook endpoint. Endpoints sort by time, because their ids do."""
    return {"PK": webhook_partition(owner), "SK": endpoint_id}


def webhook_count(owner: str) -> dict[str, str]:
    """Return the key of the number of webhook endpoints that an owner has."""
    return {"PK": user_partition(owner), "SK": "COUNT#webhooks"}


def delivery_partition(owner: str) -> str:
    """Return the partition key of the deliveries to an owner's webhook endpoints, and of their bodies."""
    return f"DELIVERIES#{owner}"


def delivery(owner: str, endpoint_id: str, delivery_id: str) -> dict[str, str]:
    """Return the key of a delivery. The deliveries to an endpoint sort by the time of their event, as their ids do."""
    return {"PK": delivery_partition(owner), "SK": f"{endpoint_id}#{delivery_id}"}


def delivery_body(owner: str, endpoint_id: str, delivery_id: str) -> dict[str, str]:
    """Return the key of the body of a delivery."""
    return {"PK": delivery_partition(owner), "SK": f"{endpoint_id}#BODY#{delivery_id}"}


def ledger_key(owner: str) -> dict[str, str]:
    """Return the key of the secret key that makes an owner's pseudonym in the usage ledger."""
    return {"PK": user_partition(owner), "SK": "LEDGER"}


def closing_mark(owner: str) -> dict[str, str]:
    """Return the key of the note that an owner's data are being erased."""
    return {"PK": user_partition(owner), "SK": "ERASURE"}


def erasure(erasure_id: str) -> dict[str, str]:
    """Return the key of an erasure."""
    return {"PK": f"ERASURE#{erasure_id}", "SK": "ERASURE"}


def connection(connection_id: str) -> dict[str, str]:
    """Return the key of an open connection of the channel."""
    return {"PK": f"CONN#{connection_id}", "SK": "CONN"}


def topic_partition(topic: str) -> str:
    """Return the partition key of the subscriptions to a topic, such as `job:job_a01m7…`."""
    return f"TOPIC#{topic}"


def subscription(topic: str, connection_id: str) -> dict[str, str]:
    """Return the key of a connection's subscription to a topic."""
    return {"PK": topic_partition(topic), "SK": f"CONN#{connection_id}"}
