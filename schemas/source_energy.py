"""Sources of the flows of electricity distributors."""

from __future__ import annotations

from typing import Literal

from schemas.energy import RecordKind
from schemas.source_base import EventMapping, SourceBase


class EnedisSource(SourceBase):
    """Flows of Enedis, which is told from their shape; `records` says what is read of them, and the mapping names its columns.

    See `schemas.energy` for the columns. A flow that has no such records is refused whole.
    """

    format: Literal["enedis"]
    records: RecordKind
    mapping: EventMapping
