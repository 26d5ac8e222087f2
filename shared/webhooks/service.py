"""Create, read, change and delete webhook endpoints for their owner, and replace their secrets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from shared.clock import Clock
from shared.errors import Conflict, ErrorCode, FieldIssue, InvalidInput, NotFound
from shared.jobs.idempotency import IdempotencyKeys, KeyClaim, hash_of_request
from shared.jobs.store import SideWriteConflict
from shared.observability.log import log
from shared.webhooks.endpoint import (
    ENDPOINT_ID,
    DisabledReason,
    EndpointSettings,
    EndpointStatus,
    SigningKey,
    WebhookEndpoint,
    new_endpoint_id,
)
from shared.webhooks.secrets import WebhookSecrets
from shared.webhooks.store import EndpointLimitReached, WebhookStore, change_endpoint
from shared.webhooks.url import UrlRefused, UrlRule

ENDPOINTS_PER_OWNER = 20
"""Maximum number of endpoints of one owner."""

MOST_REPLACED_SECRETS = 3
"""Most replaced secrets that still sign: each makes the header of every request longer."""

IDEMPOTENCY_SECONDS = 24 * 3600
"""How long an idempotency key is valid."""

CHANGEABLE = (*(str(field.alias) for field in EndpointSettings.model_fields.values()), "status")
"""The names of the fields that an owner can change, as clients write them."""


class WebhookService:
    """Manage endpoints. `owner` is the authenticated user, who finds only their own endpoints."""

    def __init__(
        self,
        *,
        endpoints: WebhookStore,
        secrets: WebhookSecrets,
        urls: UrlRule,
        keys: IdempotencyKeys,
        pipelines: Collection[str],
        clock: Clock,
    ) -> None:
        self._endpoints = endpoints
        self._secrets = secrets
        self._urls = urls
        self._keys = keys
        self._pipelines = pipelines
        self._clock = clock

    def create(
        self, owner: str, settings: EndpointSettings, *, idempotency_key: str | None = None
    ) -> tuple[WebhookEndpoint, str | None]:
        """Store a new endpoint and return it with its secret.

        A repeat with the same key gets the same endpoint and secret; None if that secret was replaced meanwhile.

        Raises:
            InvalidInput: a setting breaks its rule, or the key was used with another request.
            Conflict: the owner has ENDPOINTS_PER_OWNER endpoints, or the endpoint of the first request was deleted.
        """
        checked = self._checked(dict(settings))
        now = self._clock()
        endpoint = WebhookEndpoint(
            **checked,
            id=new_endpoint_id(int(now.timestamp() * 1000)),
            owner=owner,
            signing_keys=(self._secrets.next_key(1),),
            created_at=now,
            updated_at=now,
        )
        try:
            stored = self._store_new(endpoint, settings, idempotency_key)
        except EndpointLimitReached:
            message = f"you have {ENDPOINTS_PER_OWNER} webhooks, which is the limit; delete one first"
            raise Conflict(message) from None
        first = next((key for key in stored.signing_keys if key.version == 1), None)
        return stored, None if first is None else self._secrets.shown(stored.id, first)

    def get(self, owner: str, endpoint_id: str) -> WebhookEndpoint:
        """Return the endpoint. Raises NotFound if the owner has none with this id."""
        found = self._endpoints.get(owner, endpoint_id) if ENDPOINT_ID.fullmatch(endpoint_id) else None
        if found is None:
            raise _unknown(endpoint_id)
        return found

    def list_webhooks(self, owner: str) -> Sequence[WebhookEndpoint]:
        """Return all endpoints of the owner, newest first."""
        return self._endpoints.list_of(owner)

    def update(
        self, owner: str, endpoint_id: str, changes: Mapping[str, Any], *, expected_version: int | None = None
    ) -> WebhookEndpoint:
        """Change fields of EndpointSettings, or the status, by name, and return the endpoint.

        The status can be set to enabled, which also ends a pause, or to disabled. With `expected_version`, change the
        endpoint only if it still has that version.

        Raises:
            NotFound: the owner has no endpoint with this id.
            InvalidInput: `changes` is empty, or one breaks its rule.
            Conflict: the endpoint does not have `expected_version`.
        """
        if not changes:
            raise InvalidInput([FieldIssue("body", f"must change at least one of: {', '.join(CHANGEABLE)}")])
        checked = self._checked(changes)
        status = checked.pop("status", None)

        def changed(endpoint: WebhookEndpoint) -> WebhookEndpoint:
            if expected_version not in {None, endpoint.version}:
                raise Conflict(
                    f"the webhook is at version {endpoint.version}, not {expected_version}; get it and change that"
                )
            now = self._clock()
            after = _with_status(endpoint.model_copy(update=checked), status, now)
            if after == endpoint:
                return endpoint
            return after.model_copy(update={"version": endpoint.version + 1, "updated_at": now})

        return self._change(owner, endpoint_id, changed)

    def delete(self, owner: str, endpoint_id: str) -> None:
        """Delete the endpoint. Raises NotFound if the owner has none with this id."""
        self.get(owner, endpoint_id)
        self._endpoints.remove(owner, endpoint_id)
        log.info("webhook deleted", webhook_id=endpoint_id)

    def rotate_secret(self, owner: str, endpoint_id: str, *, grace_seconds: int) -> tuple[WebhookEndpoint, str]:
        """Replace the secret, and return the endpoint with the new one.

        Secrets before it sign for `grace_seconds` more, at most GRACE_SECONDS, and no longer than they would have.

        Raises:
            NotFound: the owner has no endpoint with this id.
            Conflict: MOST_REPLACED_SECRETS replaced secrets still sign, and would after this.
        """

        def rotated(endpoint: WebhookEndpoint) -> WebhookEndpoint:
            now = self._clock()
            replaced = [_ending(key, now + timedelta(seconds=grace_seconds)) for key in endpoint.keys_at(now)]
            replaced = [key for key in replaced if key.ends_at is not None and key.ends_at > now]
            if len(replaced) > MOST_REPLACED_SECRETS:
                first_end = min(key.ends_at for key in replaced if key.ends_at is not None)
                raise Conflict(
                    f"{MOST_REPLACED_SECRETS} replaced secrets are still valid; rotate after {first_end:%H:%M:%S} UTC, "
                    "or end them now with graceSeconds 0"
                )
            keys = (self._secrets.next_key(endpoint.secret_version + 1), *replaced)
            version = endpoint.version + 1
            return endpoint.model_copy(update={"signing_keys": keys, "version": version, "updated_at": now})

        endpoint = self._change(owner, endpoint_id, rotated)
        return endpoint, self._secrets.shown(endpoint.id, endpoint.signing_keys[0])

    def _change(
        self, owner: str, endpoint_id: str, change: Callable[[WebhookEndpoint], WebhookEndpoint]
    ) -> WebhookEndpoint:
        found = ENDPOINT_ID.fullmatch(endpoint_id)
        changed = change_endpoint(self._endpoints, owner, endpoint_id, change) if found else None
        if changed is None:
            raise _unknown(endpoint_id)
        log.info("webhook changed", webhook_id=endpoint_id, version=changed.version)
        return changed

    def _checked(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings with the URL in its usual form and without repetitions. Raises InvalidInput."""
        checked = dict(settings)
        issues = []
        if "url" in checked:
            try:
                checked["url"] = self._urls.checked(checked["url"])
            except UrlRefused as refused:
                issues.append(FieldIssue("url", str(refused)))
        for name in ("event_types", "include", "pipelines"):
            if checked.get(name) is not None:
                checked[name] = tuple(dict.fromkeys(checked[name]))
        unknown = [each for each in checked.get("pipelines") or () if each not in self._pipelines]
        if unknown:
            issues.append(FieldIssue("pipelines", f"must be names of pipelines: {', '.join(self._pipelines)}"))
        if issues:
            raise InvalidInput(issues)
        return checked

    def _store_new(self, endpoint: WebhookEndpoint, settings: EndpointSettings, key: str | None) -> WebhookEndpoint:
        """Store the endpoint together with the claim of the key, or return the endpoint that has claimed it before."""
        if key is None:
            self._endpoints.put_new(endpoint, limit=ENDPOINTS_PER_OWNER)
            log.info("webhook created", webhook_id=endpoint.id)
            return endpoint
        claimed_at = endpoint.created_at.timestamp()
        hashed = hash_of_request({"webhook": settings.model_dump(mode="json")})
        claim = KeyClaim(job_id=endpoint.id, request_hash=hashed, claimed_at=claimed_at)
        first = self._keys.find(endpoint.owner, key)
        if first is None:
            also = self._keys.claiming(endpoint.owner, key, claim, expires_at=int(claimed_at) + IDEMPOTENCY_SECONDS)
            try:
                self._endpoints.put_new(endpoint, limit=ENDPOINTS_PER_OWNER, also=also)
            except SideWriteConflict:
                first = self._keys.find(endpoint.owner, key)
        if first is None:
            log.info("webhook created", webhook_id=endpoint.id)
            return endpoint
        return self._first(endpoint.owner, first, claim)

    def _first(self, owner: str, first: KeyClaim, claim: KeyClaim) -> WebhookEndpoint:
        if first.request_hash != claim.request_hash:
            rule = "must be a new key, because this key was used with a different request body"
            raise InvalidInput([FieldIssue("Idempotency-Key", rule)], code=ErrorCode.IDEMPOTENCY_KEY_REUSED)
        found = self._endpoints.get(owner, first.job_id)
        if found is None:
            raise Conflict(
                f"this Idempotency-Key created webhook {first.job_id}, which was deleted; send a new key to create "
                "another"
            )
        return found


def _with_status(endpoint: WebhookEndpoint, status: EndpointStatus | None, now: datetime) -> WebhookEndpoint:
    match status:
        case EndpointStatus.ENABLED:
            return endpoint.enabled()
        case EndpointStatus.DISABLED:
            return endpoint.disabled_for(DisabledReason.OWNER, now)
        case _:
            return endpoint


def _ending(key: SigningKey, at: datetime) -> SigningKey:
    ends_at = at if key.ends_at is None else min(key.ends_at, at)
    return key.model_copy(update={"ends_at": ends_at})


def _unknown(endpoint_id: str) -> NotFound:
    return NotFound(f"webhook {endpoint_id[:64]} was not found")
