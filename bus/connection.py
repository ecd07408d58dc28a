"""A connection to NATS that never gives up on reconnecting, and the address it goes to."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import ConnectionClosedError, NoRespondersError
from nats.errors import Error as NatsError

from protocol import subjects
from protocol.errors import Unavailable

RECONNECT_WAIT_S = 0.2
"""Pause between two attempts on one server: short, because a restarted broker is back within a second."""

PING_INTERVAL_S = 5
"""Two missed pings end a connection, so a frozen broker or a cut cable is noticed within 15 s."""

CLOSE_WAIT_S = 2.0
"""Bound of the last flush; what is not sent by then is sent again by whoever redelivers."""

REPEAT_LOG_S = 10.0
"""The same connection error is logged once in this time: an absent broker fails five times a second."""

API_WAIT_S = 1.0
"""Longest wait for one answer of the JetStream API: short, because whoever asks tries again."""

OWN_API = "$JS.API"
"""JetStream's API of an account that has streams."""

LEAVE_WAIT_S = 1.0
"""Bound of the last round trip of a subscription."""

_REFUSED_TEXT = "authorization violation"

log = structlog.get_logger()


class ApiError(NatsError):
    """JetStream refused a request. `code` is its `err_code`."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"{code} {description}")
        self.code = code


@dataclass(frozen=True)
class Address:
    """Where a NATS server is and who calls. The password is left out of `repr`."""

    url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> "Address":
        """An address from a URL that may carry credentials: `nats://user:password@host:4222`."""
        parts = urlsplit(url)
        if parts.username is None:
            return cls(url)
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        password = unquote(parts.password) if parts.password is not None else None
        return cls(bare, unquote(parts.username), password)

    @property
    def url_with_credentials(self) -> str:
        """One URL for other clients. A secret: print it only where a person asked for it."""
        if self.user is None:
            return self.url
        parts = urlsplit(self.url)
        login = quote(self.user, safe="")
        if self.password is not None:
            login += ":" + quote(self.password, safe="")
        return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))


class _Client(Client):
    """nats-py's client without two faults of its version 2.16.

    A flush that times out or is cancelled leaves a cancelled future in the row of awaited PONGs; it sets that when its
    PONG comes, dies of it in its reading loop, and is deaf until the missed pings end the connection. And a request
    waits by `asyncio.wait_for`, which on Python 3.11 forgets a cancellation that meets the answer.
    """

    async def _process_pong(self) -> None:
        awaited = cast("list[asyncio.Future[bool]]", self._pongs)  # pyright: ignore[reportUnknownMemberType]
        if awaited and awaited[0].done():
            awaited[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        timeout: float = 0.5,
        old_style: bool = False,
        headers: dict[str, Any] | None = None,
    ) -> Msg:
        task = asyncio.current_task()
        heard = task.cancelling() if task else 0  # those that were caught before: the last words of a cancelled task
        try:
            answer = await super().request(subject, payload, timeout, old_style, headers)
        except NatsError as error:  # an answer as well, such as that nobody is there
            if task is not None and task.cancelling() > heard:
                raise asyncio.CancelledError from error
            raise
        if task is not None and task.cancelling() > heard:
            raise asyncio.CancelledError
        return answer


class LoginRefused(Unavailable):
    """A broker is there, and does not take the credentials."""


class Connection:
    """A NATS client with its listeners. `closed` is set when the connection is over for good."""

    def __init__(self) -> None:
        self.client: Client = _Client()
        self.closed = asyncio.Event()
        self.closing = False
        self._api = subjects.BROKER_API
        self._reconnect_listeners: set[Callable[[], None]] = set()
        self._error_logged: tuple[str, float] = ("", 0.0)

    def on_reconnect(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after each reconnection; returns what takes it off again."""
        self._reconnect_listeners.add(listener)
        return lambda: self._reconnect_listeners.discard(listener)

    async def open(self, address: Address, *, name: str, wait_s: float) -> None:
        """Connect; see `connect`."""
        refused = asyncio.Event()

        async def on_error(error: Exception) -> None:
            if _REFUSED_TEXT in str(error).lower():  # one of its errors has no class of its own
                refused.set()
            self._log_error(error)

        connecting = asyncio.ensure_future(
            self.client.connect(
                address.url,
                user=address.user,
                password=address.password,
                name=name,
                max_reconnect_attempts=-1,
                reconnect_time_wait=RECONNECT_WAIT_S,  # pyright: ignore[reportArgumentType]  # it takes fractions
                connect_timeout=2,
                ping_interval=PING_INTERVAL_S,
                max_outstanding_pings=2,
                error_cb=on_error,
                disconnected_cb=self._on_disconnect,
                reconnected_cb=self._on_reconnect,
                closed_cb=self._on_closed,
            )
        )
        refusal = asyncio.ensure_future(refused.wait())
        try:
            await asyncio.wait({connecting, refusal}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            if connecting.done():
                connecting.result()
                return
        finally:
            refusal.cancel()
            if not connecting.done():
                connecting.cancel()
        self.closing = True
        await self.client.close()
        if refused.is_set():
            raise LoginRefused(
                "timeout",
                f"{address.url} refuses these credentials",
                hint="start the workshop again, or check BOTTEGA_NATS_URL",
            )
        raise Unavailable(
            "timeout",
            f"no NATS server answers at {address.url} within {wait_s:g} s",
            hint="start one with `bottega up`, or check BOTTEGA_NATS_URL",
        )

    async def close(self) -> None:
        """Flush what is buffered, within a bound, and close."""
        self.closing = True
        if self.client.is_connected:
            try:
                async with asyncio.timeout(CLOSE_WAIT_S):
                    await self.client.flush()
            except (NatsError, TimeoutError, OSError) as error:
                log.warning("the last flush failed", error=repr(error))
        try:
            await self.client.close()
        except OSError:
            pass  # nats-py writes what is buffered to a broker that may be gone
        except asyncio.CancelledError:
            # Nobody cancelled this: nats-py's reading task, ended by a broker that cut the connection meanwhile, was.
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise

    async def subscribe(
        self, subject: str, receive: Callable[[Msg], Awaitable[None]], *, queue: str = ""
    ) -> Subscription:
        """Give each message of a subject to `receive`, one after the other."""
        return await self.client.subscribe(subject, queue=queue, cb=receive)  # pyright: ignore[reportUnknownMemberType]

    async def end_subscription(self, subscription: Subscription) -> None:
        """End a subscription so that what the broker already sent is received. Never fails: a connection that is lost
        has left it already."""
        with contextlib.suppress(NatsError, TimeoutError, OSError):
            if self.client.is_connected:
                async with asyncio.timeout(LEAVE_WAIT_S):
                    await subscription.drain()
            else:
                await subscription.unsubscribe()

    async def request_api(self, endpoint: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """One request to the JetStream API, such as `STREAM.INFO.<stream>`.

        Raises:
            nats.errors.Error: it is refused, or nobody answers.
        """
        payload = json.dumps(request).encode()
        try:
            answer = await self.client.request(f"{self._api}.{endpoint}", payload, timeout=API_WAIT_S)
        except NoRespondersError:  # the streams are in the asker's own account, or are not
            self._api = OWN_API if self._api == subjects.BROKER_API else subjects.BROKER_API
            answer = await self.client.request(f"{self._api}.{endpoint}", payload, timeout=API_WAIT_S)
        content: dict[str, Any] = json.loads(answer.data)
        if error := content.get("error"):
            raise ApiError(int(error.get("err_code", 0)), str(error.get("description", "")))
        return content

    async def send(self, subject: str, payload: bytes = b"", *, reply: str = "") -> bool:
        """Publish without waiting for anyone; false where the connection cannot take it now."""
        try:
            await self.client.publish(subject, payload, reply=reply)
        except (NatsError, OSError) as error:
            if not isinstance(error, ConnectionClosedError):
                self._log_error(error)
            return False
        return True

    async def _on_disconnect(self) -> None:
        if not self.closing:
            log.warning("disconnected from the broker")

    async def _on_reconnect(self) -> None:
        log.info("reconnected to the broker")
        for listener in tuple(self._reconnect_listeners):
            listener()

    async def _on_closed(self) -> None:
        self.closed.set()

    def _log_error(self, error: Exception) -> None:
        now = asyncio.get_running_loop().time()
        text, at = self._error_logged
        if not self.closing and (repr(error) != text or now - at > REPEAT_LOG_S):
            self._error_logged = (repr(error), now)
            log.warning("broker error", error=repr(error))


async def connect(address: Address, *, name: str, wait_s: float = 30.0) -> Connection:
    """Connect, trying for `wait_s`; afterwards reconnect without limit.

    Raises:
        Unavailable: nobody answers there; `LoginRefused` where the credentials are refused.
    """
    connection = Connection()
    await connection.open(address, name=name, wait_s=wait_s)
    return connection
