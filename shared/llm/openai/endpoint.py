"""Call an OpenAI-compatible endpoint: the client, timeouts, reading and faults that both of its APIs share."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from shared.errors import (
    MillraceError,
    ModelDisconnected,
    ModelMisconfigured,
    ModelOutputTooLong,
    ModelRejectedRequest,
    ModelTimeout,
    ModelUnavailable,
    TransientFault,
)
from shared.llm.json_in_text import WantedAnswer
from shared.llm.model import Finished, ModelRequest, OutputSchema, Piece, Spent, never_spare
from shared.llm.openai.configuration import api_key_of, base_url_of, proxy_for
from shared.llm.openai.faults import fault_of_status
from shared.llm.openai.parameters import Change, RefusedParameters
from shared.llm.openai.waits import retry_after_of
from shared.llm.output_bound import OutputMeter
from shared.llm.prices import ModelPrice
from shared.llm.sse_decoder import EventDecoder
from shared.log.usage import TokenUsage
from shared.packages import postpone_init

if TYPE_CHECKING:
    import openai

# These are 470 modules of data models, of which a call needs 85, and as much CPU time as a bare handler.
postpone_init("openai.types")

# The SDK would read OPENAI_BASE_URL itself if no URL were passed. Only the settings may decide on the URL.
_OPENAI: Final = "https://api.openai.com/v1"

_NO_CONNECTION: Final = "the model provider did not accept the connection in time"
_NO_TOKEN: Final = "the model sent no token in time"  # noqa: S105 - a token of a model's output, not a credential
_MISCONFIGURED: Final = "the model's client is not configured correctly; check its base URL, its key and the proxies"

_VERSION_IN_PATH: Final = re.compile(r"/v\d+[a-z0-9]*/")

# The parameter and the secret of the stack, by which an operator knows them.
_BASE_URL_SETTING: Final = "ModelBaseUrl"
_KEY_SETTING: Final = "ModelSecret"

GRACE_SECONDS: Final = 2.0
"""How long a finished output waits for its usage and for the end of its stream, which some servers never send."""

Opening = Callable[["openai.AsyncOpenAI"], contextlib.AbstractAsyncContextManager[Any]]
"""A function that sends a request with the client and opens the raw streaming response."""

Call = Callable[[tuple[str, ...]], AsyncGenerator[Piece, None]]
"""A function that makes a call without the parameters of these names, and yields what `ChatModel.stream` yields."""


class OpenAIEndpoint(ABC):
    """One endpoint, for the life of the process. Threads may share it, and event loops may use it one after another.

    If `base_url` is None, the endpoint is OpenAI's. `api_key` is called before every model call, so that a rotated key
    is used at once; its exceptions are not caught. If the server refuses the key, `key_changed` fetches it again; if
    it returns true, the request is sent once more. Base URL, key and proxy are checked before every call, which raises
    ModelMisconfigured if one is not valid. Timeouts are in seconds: `token_timeout` limits the wait for the
    first token and between two tokens, and `grace` the wait for what follows a finished output. Step Functions retries,
    not this class: only a request that the server refuses for one of its parameters is sent again, without it, and one
    that it refuses for a key that was rotated.
    """

    changes: ClassVar[Mapping[str, Change]]
    """What the API's requests send instead of a parameter that a server refuses."""

    def __init__(
        self,
        *,
        base_url: str | None,
        api_key: Callable[[], str],
        prices: Mapping[str, ModelPrice],
        connect_timeout: float = 5.0,
        token_timeout: float = 60.0,
        grace: float = GRACE_SECONDS,
        key_changed: Callable[[], bool] = lambda: False,
    ) -> None:
        self._base_url = base_url
        self._api_key = api_key
        self._key_changed = key_changed
        self._prices = prices
        self._connect_timeout = connect_timeout
        self._token_timeout = token_timeout
        self._grace = grace
        self._refused = RefusedParameters(self.changes)
        self._tls: ssl.SSLContext | None = None

    @abstractmethod
    def parameters(self, request: ModelRequest) -> dict[str, Any]:
        """Return the parameters of the API's request, as if the server refused none of them."""

    async def _read(
        self, opening: Opening, decoder: EventDecoder, meter: OutputMeter, spare: Callable[[], float]
    ) -> AsyncGenerator[str, None]:
        """Make one call, feed its bytes to `decoder`, and yield the text of each read, which may be empty.

        `spare` is that of the request.

        It ends when the connection ends, when the output is complete, when `decoder.fault` is set, or when the output
        is longer than `meter` allows.

        Raises the faults of the connection, as `provider_faults` does, unless the output is complete.
        """
        watchdog = _TokenWatchdog(timeout=self._token_timeout)
        broken: TransientFault | None = None
        try:
            with provider_faults():
                async with (
                    self._client_for_call(spare) as client,
                    opening(client) as response,
                    contextlib.aclosing(response.http_response.aiter_bytes()) as reads,
                ):
                    decoder.opened = True
                    async for data in reads:
                        yield metered(decoder.feed(data), len(data), decoder, meter)
                        if decoder.done or decoder.fault is not None:
                            break
                        if decoder.complete:
                            async for text in self._rest(reads, decoder, meter):
                                yield text
                            break
                        watchdog.check(decoder.events)
        except TransientFault as fault:
            broken = fault
        yield metered(decoder.end(), 0, decoder, meter)
        if broken is not None and not decoder.complete and not isinstance(decoder.fault, ModelRejectedRequest):
            raise broken

    async def _rest(
        self, reads: AsyncIterator[bytes], decoder: EventDecoder, meter: OutputMeter
    ) -> AsyncGenerator[str, None]:
        """Yield the text of each read behind a finished output, until there is none for as long as the grace lasts.

        There usually is none; but some servers call every chunk the last one.
        """
        end = time.monotonic() + self._grace
        while not decoder.done and (left := end - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    data = await anext(reads)
            except (TimeoutError, StopAsyncIteration):
                return
            text = metered(decoder.feed(data), len(data), decoder, meter)
            if text:
                end = time.monotonic() + self._grace
            yield text

    async def _without_refused(self, request: ModelRequest, call: Call) -> AsyncGenerator[Piece, None]:
        """Yield the pieces of `call`. If the server refuses a parameter, call it again without that parameter.

        `call` gets the names of the parameters to do without. A call that the server refuses is not paid for.
        """
        refused = self._refused.known(request.model)
        may_renew_key = True
        while True:
            begun = False
            try:
                async with contextlib.aclosing(call(refused)) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
            except ModelRejectedRequest as rejection:
                if rejection.key_refused and not begun and may_renew_key and await self._renewed_key():
                    may_renew_key = False
                    continue
                parameters = self._refused.apply(refused, self.parameters(request))
                more = self._refused.next_to(refused, rejection.parameters, parameters)
                if begun or more is None:
                    raise
                refused = more
            else:
                self._refused.remember(request.model, refused)
                return

    async def _renewed_key(self) -> bool:
        """Return whether the key has changed since the server refused it."""
        return await asyncio.to_thread(self._key_changed)

    def _finished(self, model: str, decoder: EventDecoder) -> Finished:
        """Return the last piece of a complete output.

        Raises the fault that `decoder` found, or ModelDisconnected if the output is not complete.
        """
        if decoder.fault is not None:
            raise decoder.fault
        # The end of the connection does not prove that the output is complete. Only the provider's event does.
        if not decoder.complete:
            raise ModelDisconnected("the model's stream ended before the output was complete")
        return Finished(self._usage(model, decoder), decoder.truncated, _why_empty(decoder))

    @contextlib.asynccontextmanager
    async def _client_for_call(self, spare: Callable[[], float] = never_spare) -> AsyncIterator[openai.AsyncOpenAI]:
        """Yield a client with a new connection for this call.

        A connection belongs to the event loop that opened it, and it breaks while Lambda freezes the process between
        invocations. If it were used again, its error would look like a fault of the provider.
        """
        import httpx2  # noqa: PLC0415 - their import takes time, which only a call has to pay
        import openai  # noqa: PLC0415

        from shared.llm.openai.error_body import bound_error_body  # noqa: PLC0415 - it imports httpx2
        from shared.llm.openai.transport import DirectTransport  # noqa: PLC0415 - it imports httpx2

        base = base_url_of(self._base_url or _OPENAI, _BASE_URL_SETTING)
        api_key = api_key_of(self._api_key(), _KEY_SETTING)
        if self._tls is None:
            self._tls = httpx2.create_ssl_context()  # reads all root certificates: once per process
        timeout = openai.Timeout(self._token_timeout, connect=self._connect_timeout)
        proxy = proxy_for(base)
        # Without this client, the SDK would create its own connection pool, with a second TLS context, and would refuse
        # to start if any proxy of the environment is not valid, also one that this endpoint does not need.
        async with openai.DefaultAsyncHttpxClient(
            verify=self._tls,
            timeout=timeout,
            params=base.query,
            proxy=proxy,
            transport=DirectTransport(self._tls, spare) if proxy is None else None,
            trust_env=False,
            event_hooks={"response": [bound_error_body]},
        ) as connection:
            yield openai.AsyncOpenAI(
                base_url=base.url,
                api_key=api_key,
                default_headers=base.headers(api_key),
                max_retries=0,
                timeout=timeout,
                http_client=connection,
            )

    def _spent(self, model: str, decoder: EventDecoder, error: MillraceError) -> Iterator[Spent]:
        """Yield what a failed call has used; nothing if the provider has refused it before the model worked."""
        worked = decoder.has_output or decoder.reasoning_length or decoder.arguments_length
        reported = decoder.input_tokens or decoder.output_tokens
        unknown = decoder.opened if decoder.fault is None else worked
        if reported or unknown or error.message == _NO_TOKEN:
            yield Spent(self._usage(model, decoder))

    def _usage(self, model: str, decoder: EventDecoder) -> TokenUsage:
        if not (decoder.input_tokens or decoder.output_tokens):
            return TokenUsage(unreported_calls=1)
        price = self._prices.get(model)
        return TokenUsage(
            input_tokens=decoder.input_tokens,
            output_tokens=decoder.output_tokens,
            cached_input_tokens=min(decoder.cached_input_tokens, decoder.input_tokens),
            reasoning_tokens=min(decoder.reasoning_tokens, decoder.output_tokens),
            cost_usd=price
            and price.cost_usd(
                input_tokens=decoder.input_tokens,
                output_tokens=decoder.output_tokens,
                cached_input_tokens=min(decoder.cached_input_tokens, decoder.input_tokens),
            ),
        )


def metered(text: str, received: int, decoder: EventDecoder, meter: OutputMeter) -> str:
    """Return the text of one read of `received` bytes. If the output is too long, end it, and cut the text there."""
    within = meter.take(text, received=received, reasoning=decoder.reasoning_length, arguments=decoder.arguments_length)
    if meter.excess is None:
        return text
    decoder.end_early(ModelOutputTooLong(meter.excess))
    return text if decoder.fault is None else within


class _TokenWatchdog:
    """Raise ModelTimeout if a provider sends keep-alives but no tokens, because keep-alives prevent a read timeout."""

    def __init__(self, *, timeout: float) -> None:
        self._timeout = timeout
        self._events = 0
        self._since = time.monotonic()

    def check(self, events: int) -> None:
        now = time.monotonic()
        if events > self._events:
            self._events, self._since = events, now
        elif now - self._since > self._timeout:
            raise ModelTimeout(_NO_TOKEN)


def _why_empty(decoder: EventDecoder) -> str | None:
    """Return why there is no output; None if there is one, or if the provider gives no hint."""
    if decoder.has_output or not decoder.reasoning:
        return None
    if decoder.wanted is not None and decoder.wanted.fits(decoder.reasoning):
        return "the provider sent the answer as reasoning (reasoning_content), not as output"
    return "the provider sent only reasoning (reasoning_content)"


def wanted_answer(request: ModelRequest) -> WantedAnswer | None:
    """Return what a whole answer to the request looks like; None if any text is one."""
    if request.output_schema is None:
        return None
    return WantedAnswer(request.output_schema.schema.get("required") or ())


def schema_parameters(wanted: OutputSchema) -> dict[str, Any]:
    """Return the parameters of a strict JSON Schema, which are the same in both APIs."""
    return {"name": wanted.name, "schema": wanted.schema, "strict": True}


@contextlib.contextmanager
def provider_faults() -> Iterator[None]:
    """Turn the exceptions of the SDK and of its HTTP client into model faults.

    The faults are raised `from None`: the SDK's messages quote the provider's body and the HTTP client's messages quote
    headers, so a logged traceback would show the prompt or the key.
    """
    import anyio  # noqa: PLC0415 - see _client_for_call
    import httpx2  # noqa: PLC0415
    import openai  # noqa: PLC0415

    try:
        yield
    except openai.APIStatusError as error:
        told = retry_after_of(error.response.headers, error.body)
        url = error.request.url
        versioned = _VERSION_IN_PATH.search(url.path) is not None or "api-version" in url.params
        raise fault_of_status(error.status_code, error.body, retry_after=told, versioned=versioned) from None
    except (openai.APITimeoutError, httpx2.TimeoutException) as error:
        connecting = isinstance(error.__cause__ or error, httpx2.ConnectTimeout | httpx2.PoolTimeout)
        raise ModelTimeout(_NO_CONNECTION if connecting else _NO_TOKEN) from None
    except openai.APIConnectionError as error:
        raise _connection_fault(error.__cause__) from None
    except (httpx2.RequestError, ssl.SSLError, anyio.EndOfStream):
        raise ModelDisconnected("the connection to the model ended before the output was complete") from None
    except (openai.OpenAIError, httpx2.InvalidURL, UnicodeError):  # UnicodeError: a host or a header
        raise ModelMisconfigured(_MISCONFIGURED) from None


def _connection_fault(cause: BaseException | None) -> ModelDisconnected | ModelMisconfigured | ModelUnavailable:
    import httpx2  # noqa: PLC0415 - see _client_for_call

    if isinstance(cause, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
        return ModelMisconfigured(_MISCONFIGURED)
    if isinstance(cause, httpx2.ReadError | httpx2.WriteError | httpx2.RemoteProtocolError):
        return ModelDisconnected("the connection to the model ended before the output began")
    return ModelUnavailable("the model provider could not be reached")
