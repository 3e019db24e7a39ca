"""A request of a peer, from its coming to its answer: it is answered once, on the connection that it came by."""

from __future__ import annotations

from typing import Protocol

from connectors.diameter.base import encode_answer, refusal, refused
from connectors.diameter.hub import Hub
from connectors.diameter.identity import Answer, Identity, PeerSheet, Request
from pipelines.mediation.diameter.codes import Result
from pipelines.mediation.diameter.fields import Group
from pipelines.mediation.diameter.grammar import check_request
from pipelines.mediation.diameter.messages import Avp, Header, UnableToReadMessage, decode_message


class Origin(Protocol):
    """Where a request came from."""

    hub: Hub
    host: str
    sheet: PeerSheet

    def send_answer(self, data: bytes, result: int, *, counted: bool) -> None:
        """Send an answer that is encoded."""


class Asked:
    """One request.

    Attributes:
        origin: its connection. header: of its first 20 bytes. data: all of it.
        is_counted: it is one of those on their way, until it is answered.
    """

    __slots__ = ("data", "header", "is_counted", "origin")

    def __init__(self, origin: Origin, header: Header, data: bytes) -> None:
        """Take it as it came."""
        self.origin, self.header, self.data = origin, header, data
        self.is_counted = False

    def read(self) -> Request:
        """Return what it says, when it is for us.

        Raises:
            UnableToReadMessage: with what it is answered with.
        """
        said = check_request(decode_message(self.data, len(self.data)))
        require_route(self.origin.hub.identity, said)
        return Request(self.origin.host, self.header, said)

    async def handle(self) -> None:
        """Have the handler decide, and answer."""
        try:
            answer = await self.origin.hub.handler(self.read())
        except UnableToReadMessage as error:
            self.deny(error)
        except Exception as error:
            self.fail(error)
        else:
            self.answer(answer)

    def answer(self, answer: Answer) -> None:
        """Answer it."""
        self.send(encode_answer(self.origin.hub.identity, self.header, self._avps(), answer), answer.result)

    def send(self, data: bytes, result: int) -> None:
        """Answer it by an answer that is encoded."""
        counted, self.is_counted = self.is_counted, False
        self.origin.send_answer(data, result, counted=counted)

    def deny(self, error: UnableToReadMessage) -> None:
        """Answer that it cannot be read, or is not for us."""
        self.origin.sheet.errors += 1
        self.answer(refusal(error))

    def refuse(self, result: Result, words: str) -> None:
        """Answer no, without looking at what it asks."""
        self.answer(refused(result, words))

    def fail(self, error: BaseException) -> None:
        """Answer that a defect of ours prevents an answer, and tell of it."""
        self.refuse(Result.UNABLE_TO_COMPLY, "a defect: it is reported where octroi runs")
        self.origin.hub.failed(error)

    def _avps(self) -> tuple[Avp, ...]:
        try:
            return decode_message(self.data, len(self.data)).avps
        except UnableToReadMessage:
            return ()


def require_route(identity: Identity, said: Group) -> None:
    """Refuse what is not for us (RFC 6733 §6.1).

    Raises:
        UnableToReadMessage: LOOP_DETECTED, REALM_NOT_SERVED or UNABLE_TO_DELIVER.
    """
    if identity.host.lower() in (host.lower() for host in said.all("Route-Record")):
        raise UnableToReadMessage(Result.LOOP_DETECTED, "it was here before")
    realm, host = said.need("Destination-Realm"), said.get("Destination-Host")
    if not identity.serves(realm):
        raise UnableToReadMessage(Result.REALM_NOT_SERVED, f"realm {realm} is not served")
    if host is not None and host.lower() != identity.host.lower():
        raise UnableToReadMessage(Result.UNABLE_TO_DELIVER, f"{host} is not known")
