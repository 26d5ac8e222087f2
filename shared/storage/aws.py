"""Make each AWS client on first use, keep it for the life of the process, and turn its errors into ours."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal
from urllib.request import getproxies
from weakref import WeakSet

from shared.errors import StorageThrottled, StorageUnavailable
from shared.storage import capacity

if TYPE_CHECKING:
    import ssl

    from boto3.session import Session
    from botocore.credentials import ReadOnlyCredentials
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

    from shared.storage.direct_requests import DirectRequests
    from shared.storage.loop_requests import LoopRequests

THROTTLES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",  # a plain write that meets a transaction on its item
        "SlowDown",
    }
)
"""Error codes of requests that AWS refuses for now, because there are too many."""

Service = Literal["dynamodb", "s3", "stepfunctions", "secretsmanager"]
"""boto3's name of a service that functions use."""

SERVICES: tuple[Service, ...] = ("dynamodb", "s3", "stepfunctions", "secretsmanager")
"""All services that functions use."""

QUEUE_SERVICE = "sqs"
"""boto3's name of the service of queues, which few functions use. Its client is made with the first message."""

CHANNEL_SERVICE = "apigatewaymanagementapi"
"""boto3's name of the service that sends messages to connections. Its client is made only when there is one to send."""

CONNECT_SECONDS = 2.0
"""How long a connection to a service may take to open."""

READ_SECONDS = 10.0
"""How long a service may take to send the next bytes of a response."""

ATTEMPTS = 3
"""How often a request is sent, at most."""

_direct: WeakSet[DirectRequests] = WeakSet()

_making = Lock()  # several threads may share a boto3 client, but not a boto3 session


@functools.cache
def client(service: Service) -> Any:
    """Return the service's boto3 client, with short timeouts and few quick retries: Step Functions retries the rest."""
    return _new_client(service, checks_parameters=service != "dynamodb")


@functools.cache
def channel_management(endpoint: str) -> Any:
    """Return the boto3 client of the management API at this URL, which sends messages to connections."""
    return _new_client(CHANNEL_SERVICE, endpoint_url=endpoint)


@functools.cache
def sqs() -> SQSClient:
    """Return the client of SQS."""
    return _new_client(QUEUE_SERVICE)  # type: ignore[no-any-return]


def _new_client(service: str, *, checks_parameters: bool = True, **options: Any) -> Any:
    """Make a client. Without `checks_parameters`, it leaves the check of each request's shape to the service.

    That saves a twentieth of a request's CPU time. DynamoDB refuses what the check refuses; S3 does not, because an
    empty key there is another operation.
    """
    from botocore.config import Config  # noqa: PLC0415 - the import takes time, and some functions need no AWS

    # The first of DynamoDB's attempts is not botocore's, unless a proxy is between: see direct_requests.
    sends_directly = service == "dynamodb" and not _has_proxy()
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=50,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS - sends_directly},
        # Presigned URLs with the bucket's regional name: the global one redirects, which a browser does not follow.
        s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
        parameter_validation=checks_parameters,
        user_agent="millrace",  # botocore builds its own again for each request, which takes a fifth of the CPU time
    )
    if service == "s3":
        # In us-east-1 botocore signs URLs and forms with version 2, which buckets since 2020 refuse.
        config = config.merge(Config(signature_version="s3v4"))
    with _making:
        made = _session().client(service, config=config, **options)  # type: ignore[call-overload]  # by its name
    if service == "dynamodb":
        capacity.install(made)
    if sends_directly:
        _send_directly(made)
    return made


def _has_proxy() -> bool:
    """Return whether the environment names a proxy, through which only botocore sends requests."""
    return bool(getproxies().keys() - {"no"})


def _credentials() -> ReadOnlyCredentials | None:
    found: Any = _session().get_credentials()
    return None if found is None else found.get_frozen_credentials()


def loop_requests() -> LoopRequests | None:
    """Return what sends DynamoDB's requests from an event loop; None if the environment names a proxy."""
    from shared.storage.loop_requests import LoopRequests  # noqa: PLC0415 - only streams need it

    if _has_proxy():
        return None
    direct = next(each for each in _direct if each.client is dynamodb())
    return LoopRequests(
        endpoint=lambda: direct.endpoint,
        credentials=_credentials,
        tls=_tls,
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
    )


def _send_directly(dynamodb_client: Any) -> None:
    """Let the requests of DynamoDB's client be sent without botocore, see `direct_requests`."""
    from shared.storage.direct_requests import Connections, DirectRequests  # noqa: PLC0415 - as above

    connections = functools.partial(Connections, tls=_tls, connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS)
    _direct.add(DirectRequests(dynamodb_client, credentials=_credentials, connections=connections))


def _tls() -> ssl.SSLContext:
    """Return a TLS context that trusts the certificates that botocore trusts, for the host that they name."""
    from botocore.httpsession import create_urllib3_context, get_cert_path  # noqa: PLC0415 - as above

    context: ssl.SSLContext = create_urllib3_context()
    context.check_hostname = True  # botocore's context leaves that to urllib3
    context.load_verify_locations(os.environ.get("AWS_CA_BUNDLE") or get_cert_path(verify=True))
    return context


@functools.cache
def _session() -> Session:
    """Return the one session of all clients, because each new session reads its data files again."""
    from shared.storage.aws_session import session_for  # noqa: PLC0415 - as above

    return session_for((*SERVICES, QUEUE_SERVICE, CHANNEL_SERVICE))


def make_clients() -> None:
    """Make the clients of all services, without sending a request."""
    for service in SERVICES:
        client(service)


def forget_connections() -> None:
    """Close every client's connections and make it fetch its credentials again."""
    for direct in _direct:
        direct.close()
    for service in SERVICES:
        client(service).close()  # closes connections only: the client opens others when it needs them
    credentials: Any = _session().get_credentials()
    if hasattr(credentials, "refresh_needed"):
        credentials._expiry_time = datetime.now(UTC)  # botocore has no public way; a test covers this one


def dynamodb() -> DynamoDBClient:
    """Return the client of DynamoDB."""
    return client("dynamodb")  # type: ignore[no-any-return]


def s3() -> S3Client:
    """Return the client of S3."""
    return client("s3")  # type: ignore[no-any-return]


def stepfunctions() -> SFNClient:
    """Return the client of Step Functions."""
    return client("stepfunctions")  # type: ignore[no-any-return]


def secretsmanager() -> SecretsManagerClient:
    """Return the client of Secrets Manager."""
    return client("secretsmanager")  # type: ignore[no-any-return]


@contextmanager
def storage_faults() -> Iterator[None]:
    """Turn botocore's errors into the faults of `shared/errors.py`.

    Raises:
        StorageThrottled: AWS refuses the request for now, because there are too many.
        StorageUnavailable: AWS could not be reached, or responded with a 5xx status.
        ClientError: botocore's own error for any other refusal, such as that of a write's condition.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "ConditionalCheckFailedException":
            raise
        if code in THROTTLES:
            raise StorageThrottled("the database throttles requests; try again") from error
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        if status < 500:
            raise
        raise StorageUnavailable("the database could not be reached; try again") from error
    except BotoCoreError as error:
        raise StorageUnavailable("the database could not be reached; try again") from error


@contextmanager
def refused_condition(make: Any) -> Iterator[None]:
    """Raise `make(item)` if DynamoDB refuses the write's condition; `item` is the stored item, None if it is unknown.

    Raises the faults of `storage_faults` as well.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415

    try:
        with storage_faults():
            yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
            raise
        raise make(error.response.get("Item")) from error
