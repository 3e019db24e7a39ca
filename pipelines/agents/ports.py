"""What agents need of whoever hosts them."""

from __future__ import annotations

from typing import Protocol

from pipelines.agents.source import Fetched
from pipelines.mediation.decode import Decoder


class Images(Protocol):
    """The images that took effect so far."""

    @property
    def tenant(self) -> str:
        """Whose usage it is."""

    def decoder(self, source: str) -> tuple[int, Decoder]:
        """Return the number of the latest image, and its decoder of a source; KeyError when it has none."""


class Send(Protocol):
    """Sends what came of one block; the block is done when all of it is acknowledged."""

    def __call__(self, topic: str, partition: int, headers: dict[str, bytes], frame: bytes) -> None:
        """Send a block to a partition."""

    def dead(self, topic: str, block: Fetched, code: str, message: str) -> None:
        """Send a block that cannot be read, as it came, to the dead letters of its topic."""

    def letter(self, topic: str, value: bytes, *, code: str, message: str, origin: tuple[str, int, int, int]) -> None:
        """Send bytes to dead letters; their origin is topic, partition, offset, and microseconds UTC of their append."""
