"""The publish loop: two requests outstanding, answers taken in order of arrival.

asyncua keeps one request outstanding and decodes each answer into objects; here the
raw answer is taken from its session (private, hence the pinned version) and decoded
in bulk. With ``decoder: stock`` only asyncua's public calls are used.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from asyncua import ua
from asyncua.ua.uaerrors import (
    BadMessageNotAvailable,
    BadTimeout,
    BadTooManyPublishRequests,
    UaError,
    UaStatusCodeError,
)

from edge_agent.errors import SourceLost
from edge_agent.sources.opcua.columns import NO_TIME
from edge_agent.sources.opcua.decode import decode
from edge_agent.sources.opcua.faults import meaning, translated
from edge_agent.sources.opcua.sequence import SequenceCheck
from edge_agent.sources.opcua.stock import decode_stock, message, published

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.clock import Clock
    from edge_agent.sources.opcua.columns import Published
    from edge_agent.sources.opcua.link import Link

OUTSTANDING = 2
REPUBLISHED_AT_MOST = 1000

Acknowledgements = list[ua.SubscriptionAcknowledgement]


class Decoder(Protocol):
    """How publish requests are sent and their answers read."""

    def request(self, link: Link, done: Acknowledgements) -> asyncio.Future[Any]:
        """Send a PublishRequest; its future gives the answer."""
        ...

    def read(self, answer: Any) -> Published:  # noqa: ANN401
        """Columns of an answer."""
        ...


class Bulk:
    """Raw answers, decoded in bulk; what is not plain goes to asyncua's decoder."""

    def request(self, link: Link, done: Acknowledgements) -> asyncio.Future[Any]:
        """Send without a task or a time limit: silence is watched by the loop."""
        protocol = link.client.uaclient.protocol
        if protocol is None:
            raise ConnectionError("the link is closed")
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements = done
        return protocol._send_request(request, 0)  # noqa: SLF001

    def read(self, answer: Any) -> Published:  # noqa: ANN401
        """Columns, by `decode` where it can."""
        body = answer.read(len(answer))
        return decode(body) or decode_stock(body)


class Stock:
    """asyncua's own publish call and decoding: slower, for fault finding."""

    def request(self, link: Link, done: Acknowledgements) -> asyncio.Future[Any]:
        """Send by asyncua's session."""
        # PublishLoop.run cancels what is still unanswered when it ends
        answer: asyncio.Future[Any] = asyncio.ensure_future(  # noqa: TID251
            link.session.publish(done)
        )
        return answer

    def read(self, answer: Any) -> Published:  # noqa: ANN401
        """Columns of the decoded response."""
        return published(answer)


class Watch(Protocol):
    """Who is told what the loop finds."""

    def heard(self, at: int) -> None:
        """The server gave a sign of life at agent time ``at``."""
        ...

    def took(self, message: Published, at: int) -> None:
        """A message arrived, or was got back, in its order."""
        ...

    def missed(self, count: int, first: int, last: int) -> None:
        """Messages are lost for good, sent between two server times."""
        ...

    def recovered(self, count: int) -> None:
        """Messages that had not arrived were got back by Republish."""
        ...

    def garbled(self, error: Exception) -> None:
        """A response could not be read at all."""
        ...


class PublishLoop:
    """Keeps publish requests outstanding for one subscription.

    Args:
        link: the session.
        subscription: its id.
        decoder: bulk or stock.
        clock: agent time, read when an answer arrives.
        watch: told everything.
        silence: seconds without any answer after which the link counts as lost.
    """

    def __init__(
        self,
        link: Link,
        subscription: int,
        decoder: Decoder,
        clock: Clock,
        watch: Watch,
        silence: float,
    ) -> None:
        self.link, self.subscription, self.silence = link, subscription, silence
        self.outstanding = OUTSTANDING
        self._decoder, self._clock, self._watch = decoder, clock, watch
        self._sequence = SequenceCheck()
        self._last_published = 0
        self._done: Acknowledgements = []
        self._sent: set[asyncio.Future[Any]] = set()
        self._arrived: deque[tuple[asyncio.Future[Any], int]] = deque()
        self._wake = asyncio.Event()

    async def run(self) -> NoReturn:
        """Ask, take, acknowledge, until the link fails or goes quiet.

        Raises:
            SourceLost: it did.
        """
        try:
            with translated(f"{self.link.name}: the link failed"):
                while True:
                    self._refill()
                    await self._quiet_at_most()
                    while self._arrived:
                        await self._take(*self._arrived.popleft())
                        self._refill()
        finally:
            self._abandon()

    def _refill(self) -> None:
        while len(self._sent) < self.outstanding:
            done, self._done = self._done, []
            future = self._decoder.request(self.link, done)
            self._sent.add(future)
            future.add_done_callback(self._answered)

    def _answered(self, future: asyncio.Future[Any]) -> None:
        # called by the loop in order of arrival, whichever request is answered
        self._sent.discard(future)
        if not future.cancelled():
            self._arrived.append((future, self._clock.now()))
        self._wake.set()

    def _abandon(self) -> None:
        """Leave no future that asyncio would complain about later."""
        for future in list(self._sent):
            future.cancel()
        for future, _ in self._arrived:
            future.exception()

    async def _quiet_at_most(self) -> None:
        try:
            async with asyncio.timeout(self.silence):
                await self._wake.wait()
        except TimeoutError:
            raise SourceLost(
                f"{self.link.name}: nothing from the server for {self.silence:.0f} s,"
                " not even a keep-alive: the network is cut or the server hangs"
            ) from None
        self._wake.clear()

    async def _take(self, future: asyncio.Future[Any], at: int) -> None:
        try:
            found = self._decoder.read(future.result())
        except BadTooManyPublishRequests:
            self._fewer()
            return
        except BadTimeout:
            return
        except (UaStatusCodeError, OSError):
            raise
        except Exception as error:  # noqa: BLE001
            # asyncua's decoder raises what it met; the gap check asks for it again
            self._watch.heard(at)
            self._watch.garbled(error)
            return
        self._watch.heard(at)
        if found.subscription == self.subscription:
            await self._ordered(found, at)

    def _fewer(self) -> None:
        if self.outstanding == 1:
            raise SourceLost(
                f"{self.link.name}: the server accepts no publish request at all"
            )
        self.outstanding = 1

    async def _ordered(self, found: Published, at: int) -> None:
        """Take a message after those that should have come before it."""
        if not found.keep_alive and self._sequence.seen(found.sequence):
            self._acknowledge(found.sequence)
            return
        missing = self._sequence.missing(found.sequence, keep_alive=found.keep_alive)
        # some servers leave the publish time out
        sent = at if found.published == NO_TIME else found.published
        if missing:
            await self._get_back(missing, sent)
        self._last_published = sent
        self._deliver(found, at)

    def _deliver(self, found: Published, at: int) -> None:
        if not found.keep_alive:
            self._acknowledge(found.sequence)
        self._watch.took(found, at)
        if found.status_change is not None:
            # a time-out, or a transfer to another session: over for us either way
            status = meaning(found.status_change)
            raise SourceLost(f"{self.link.name}: the subscription ended: {status}")

    def _acknowledge(self, sequence: int) -> None:
        self._done.append(
            ua.SubscriptionAcknowledgement(
                SubscriptionId=self.subscription, SequenceNumber=sequence
            )
        )

    async def _get_back(self, missing: list[int], until: int) -> None:
        """Republish what is missing, oldest first; tell what is gone for good."""
        got = 0
        for sequence in missing[-REPUBLISHED_AT_MOST:]:
            again = await self._republished(sequence)
            if again is not None:
                self._deliver(again, self._clock.now())
                got += 1
        if got:
            self._watch.recovered(got)
        if got < len(missing):
            lost = len(missing) - got
            self._watch.missed(lost, self._last_published or until, until)

    async def _republished(self, sequence: int) -> Published | None:
        try:
            again = await self.link.session.republish(self.subscription, sequence)
        except BadMessageNotAvailable:
            return None
        except UaStatusCodeError as error:
            if _fatal(error):
                raise
            return None
        except UaError:
            return None
        return message(again, self.subscription)


def _fatal(error: UaStatusCodeError) -> bool:
    codes = ua.StatusCodes
    return error.code in {
        codes.BadSessionIdInvalid,
        codes.BadSessionClosed,
        codes.BadSubscriptionIdInvalid,
        codes.BadSecureChannelIdInvalid,
    }


#: Decoders by the setting's word.
MAKERS: dict[str, Callable[[], Decoder]] = {"bulk": Bulk, "stock": Stock}
