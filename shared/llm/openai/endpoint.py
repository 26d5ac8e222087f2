"""An OpenAI-compatible endpoint as both of its APIs are called: the client, its timeouts, the reading, the faults."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from shared.errors import (
    ModelDisconnected,
    ModelRejectedRequest,
    ModelTimeout,
    ModelUnavailable,
)
from shared.llm.model import Finished, OutputSchema
from shared.llm.openai.faults import fault_of_status
from shared.llm.prices import ModelPrice
from shared.llm.sse_decoder import EventDecoder
from shared.log.usage import TokenUsage

if TYPE_CHECKING:
    import openai

# Named here so that OPENAI_BASE_URL reaches a call through settings only, not behind their back through the SDK.
_OPENAI: Final = "https://api.openai.com/v1"

_NO_CONNECTION: Final = "The model provider did not accept the connection in time."
_NO_TOKEN: Final = "The model sent no token in time."  # noqa: S105 - not that kind of token
_MISCONFIGURED: Final = "The model client is not configured correctly: check its base URL and key."

Opening = Callable[["openai.AsyncOpenAI"], contextlib.AbstractAsyncContextManager[Any]]
"""Asks the client for a raw streaming response."""


class OpenAIEndpoint:
    """One per process. It may be used from several threads and, one after another, from several event loops.

    `base_url` None means OpenAI itself. `api_key` is asked before every call, so a rotated key is picked up; what it
    raises passes through unchanged. Timeouts are in seconds; `token_timeout` bounds the wait for the first token and
    between two tokens. Nothing is retried here: Step Functions owns retries.
    """

    def __init__(
        self,
        *,
        base_url: str | None,
        api_key: Callable[[], str],
        prices: Mapping[str, ModelPrice],
        connect_timeout: float = 5.0,
        token_timeout: float = 60.0,
    ) -> None:
        self._base_url = base_url
        self._api_key = api_key
        self._prices = prices
        self._connect_timeout = connect_timeout
        self._token_timeout = token_timeout
        self._client: openai.AsyncOpenAI | None = None
        self._tls: ssl.SSLContext | None = None

    async def _read(self, opening: Opening, decoder: EventDecoder) -> AsyncGenerator[str, None]:
        """One call, read into `decoder`: yields the text of each read, which may be empty.

        It ends with the connection, with the answer, or with `decoder.fault`; raises the faults of the connection.
        """
        silence = _Silence(limit=self._token_timeout)
        with provider_faults(decoder):
            async with (
                self._client_for_call() as client,
                opening(client) as response,
                contextlib.aclosing(response.http_response.aiter_bytes()) as reads,
            ):
                async for data in reads:
                    yield decoder.feed(data)
                    if decoder.done or decoder.fault is not None:
                        break
                    silence.check(decoder.events)
        if not decoder.whole and decoder.fault is None:
            yield decoder.end()

    def _finished(self, model: str, decoder: EventDecoder) -> Finished:
        """How an answer ended that is whole. Raises what `decoder` found instead, or ModelDisconnected."""
        if decoder.fault is not None:
            raise decoder.fault
        # A clean end of the connection is not success: only the provider's own word is.
        if not decoder.whole:
            raise ModelDisconnected("The model's stream ended before the answer was complete.")
        return Finished(usage=self._usage(model, decoder), truncated=decoder.truncated)

    @contextlib.asynccontextmanager
    async def _client_for_call(self) -> AsyncIterator[openai.AsyncOpenAI]:
        """The process's client with a connection of its own for this call.

        A pooled connection belongs to the event loop that made it, and dies while Lambda freezes the process between
        invocations; the next call would take its corpse for a provider's failure.
        """
        import httpx2  # noqa: PLC0415 - the two cost half a second of CPU: paid on the first call, not on import
        import openai  # noqa: PLC0415

        api_key = self._api_key()
        if self._client is None or self._tls is None:
            self._tls = httpx2.create_ssl_context()
            self._client = openai.AsyncOpenAI(base_url=self._base_url or _OPENAI, api_key=api_key, max_retries=0)
        timeout = openai.Timeout(self._token_timeout, connect=self._connect_timeout)
        async with openai.DefaultAsyncHttpxClient(verify=self._tls, timeout=timeout) as connection:
            yield self._client.with_options(api_key=api_key, http_client=connection, timeout=timeout)

    def _usage(self, model: str, decoder: EventDecoder) -> TokenUsage:
        if not (decoder.input_tokens or decoder.output_tokens):
            return TokenUsage()
        price = self._prices.get(model)
        return TokenUsage(
            input_tokens=decoder.input_tokens,
            output_tokens=decoder.output_tokens,
            cost_usd=price and price.cost_usd(input_tokens=decoder.input_tokens, output_tokens=decoder.output_tokens),
        )


class _Silence:
    """Notices a provider that sends keep-alive comments and no tokens: those hold the read timeout off for ever."""

    def __init__(self, *, limit: float) -> None:
        self._limit = limit
        self._events = 0
        self._since = time.monotonic()

    def check(self, events: int) -> None:
        now = time.monotonic()
        if events > self._events:
            self._events, self._since = events, now
        elif now - self._since > self._limit:
            raise ModelTimeout(_NO_TOKEN)


def schema_parameters(wanted: OutputSchema) -> dict[str, Any]:
    """What both APIs call a strict JSON Schema; only where they put it differs."""
    return {"name": wanted.name, "schema": wanted.schema, "strict": True}


@contextlib.contextmanager
def provider_faults(decoder: EventDecoder | None = None) -> Iterator[None]:
    """Map what the SDK and its HTTP client raise.

    `from None`, against our habit: the SDK's messages quote the provider's body, and the HTTP client's quote headers;
    in a logged traceback that would be the prompt or the key.
    """
    import anyio  # noqa: PLC0415 - see _client_for_call
    import httpx2  # noqa: PLC0415
    import openai  # noqa: PLC0415

    try:
        yield
    except openai.APIStatusError as error:
        raise fault_of_status(error.status_code, error.body) from None
    except (openai.APITimeoutError, httpx2.TimeoutException) as error:
        connecting = isinstance(error.__cause__ or error, httpx2.ConnectTimeout | httpx2.PoolTimeout)
        raise ModelTimeout(_NO_CONNECTION if connecting else _NO_TOKEN) from None
    except openai.APIConnectionError as error:
        raise _connection_fault(error.__cause__) from None
    except (httpx2.RequestError, ssl.SSLError, anyio.EndOfStream):
        # What the provider declared finished is whole, however the connection then ended.
        if decoder is None or not decoder.whole:
            raise ModelDisconnected("The connection to the model broke off in the middle of the answer.") from None
    except (openai.OpenAIError, httpx2.InvalidURL):
        raise ModelRejectedRequest(_MISCONFIGURED) from None


def _connection_fault(cause: BaseException | None) -> ModelDisconnected | ModelRejectedRequest | ModelUnavailable:
    import httpx2  # noqa: PLC0415 - see _client_for_call

    if isinstance(cause, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
        return ModelRejectedRequest(_MISCONFIGURED)
    if isinstance(cause, httpx2.ReadError | httpx2.WriteError | httpx2.RemoteProtocolError):
        return ModelDisconnected("The connection to the model broke off before the answer began.")
    return ModelUnavailable("The model provider cannot be reached.")
