"""What all connections of a server share: who is connected, what is on its way, whom to tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from connectors.diameter.identity import Handler, Identity, Limits, PeerRule, Say

_ID = 2**32


class Peer(Protocol):
    """A connection, as the others see it. `suspect`: it did not answer the watchdog yet."""

    host: str
    address: str
    suspect: bool

    async def leave(self, cause: int) -> None:
        """Say good-bye, and end the connection."""

    def drop(self) -> None:
        """End the connection at once."""


class Waiting(Protocol):
    """A request that is not answered yet."""

    def handle(self) -> Coroutine[Any, Any, None]:
        """Have the handler decide, and answer."""


@dataclass(slots=True)
class Hub:
    """What all connections share.

    Attributes:
        handler: decides about requests, one by one. rules: who may connect.
        together: takes all requests of one turn of the loop, whichever connections they came by, instead of the handler.
        say: told who comes and goes. failed: told of a defect of the handler.
        jitter: seconds by which watchdogs differ, so that not all are due at once. first_id: where ids of our requests begin.
        peers: connections by Origin-Host in lower case.
        in_flight: requests that are not answered yet.
    """

    identity: Identity
    handler: Handler
    rules: Sequence[PeerRule]
    limits: Limits = field(default_factory=Limits)
    say: Say = lambda words: None
    failed: Callable[[BaseException], None] = lambda error: None
    together: Callable[[list[Any]], None] | None = None
    jitter: Callable[[], float] = lambda: 0.0
    first_id: int = 1
    peers: dict[str, Peer] = field(default_factory=dict)
    in_flight: int = 0
    connections: set[Peer] = field(default_factory=set)
    _waiting: list[Waiting] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def take(self, asked: Waiting) -> None:
        """Take a request: the handler's at once, or with all others that come in this turn of the loop."""
        if self.together is None:
            self.handle(asked)
            return
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._take_together)
        self._waiting.append(asked)

    def _take_together(self) -> None:
        waiting, self._waiting = self._waiting, []
        assert self.together is not None
        self.together(waiting)

    def handle(self, asked: Waiting) -> None:
        """Have the handler decide about a request."""
        task = asyncio.ensure_future(asked.handle())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def next_ids(self) -> tuple[int, int]:
        """Return a hop-by-hop and an end-to-end id for a request of ours."""
        self.first_id = (self.first_id + 1) % _ID
        return self.first_id, self.first_id

    def has_place(self, host: str) -> bool:
        """Whether a peer may connect that may be connected already: one that is silent gives its place up."""
        there = self.peers.get(host.lower())
        if there is not None and there.suspect:
            there.drop()
            return True
        return there is None

    def joined(self, peer: Peer) -> None:
        """Know a peer."""
        self.peers[peer.host.lower()] = peer
        self.say(f"{peer.host} is connected from {peer.address}")

    def left(self, peer: Peer) -> None:
        """Forget a peer."""
        if self.peers.get(peer.host.lower()) is peer:
            del self.peers[peer.host.lower()]
