"""The keys of both tables; docs/data-model.md lists who reads what by them."""

from __future__ import annotations

JOB = "JOB"
SNAPSHOT = "SNAP"
EVENT_PREFIX = "EVT#"
RUN = "RUN"
TRANSFORM = "TRANSFORM"
ARTEFACT = "ARTEFACT"
VERSION_PREFIX = "V#"


def job_partition(job_id: str) -> str:
    return f"JOB#{job_id}"


def user_partition(owner: str) -> str:
    return f"USER#{owner}"


def event(seq: int) -> str:
    """Zero-padded, so that items sort as their numbers do."""
    return f"{EVENT_PREFIX}{seq:010d}"


def checkpoint(stage: str, fence: str) -> str:
    return f"CKPT#{stage}#{fence}"


def record(name: str) -> str:
    return f"LIMIT#{name}"


def idempotency(key_hash: str) -> str:
    return f"IDEM#{key_hash}"


def run(run_id: str) -> dict[str, str]:
    return {"PK": f"RUN#{run_id}", "SK": RUN}


def transform(run_id: str, transform_id: str) -> dict[str, str]:
    """Sorts by time, as transform ids do."""
    return {"PK": f"RUN#{run_id}", "SK": f"{TRANSFORM}#{transform_id}"}


def artefact(run_id: str, role: str, version: int) -> dict[str, str]:
    return {"PK": f"RUN#{run_id}", "SK": f"{ARTEFACT}#{role}#{version:06d}"}


def agent(agent_id: str) -> dict[str, str]:
    """Of an agent's latest version."""
    return {"PK": f"AGENT#{agent_id}", "SK": "AGENT"}


def agent_version(agent_id: str, version: int) -> dict[str, str]:
    return {"PK": f"AGENT#{agent_id}", "SK": f"{VERSION_PREFIX}{version:010d}"}


def agent_count(owner: str) -> dict[str, str]:
    return {"PK": user_partition(owner), "SK": "COUNT#agents"}
