"""How the records of a source hang together: counters that only grow, sessions in parts."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.price_plan import Document

TIME_OUT_MAX = timedelta(days=62)
Name = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class Cumulative(Document):
    """The quantity is the reading of a counter: usage is the difference of consecutive readings of one series.

    A series is the access point with the texts of `series`, joined by "/". `opens_at` says what the first reading of a series
    is: `first` only opens it; `zero`: the counter began at 0, so the reading is usage. `on_decrease` says what a lower
    reading means: `reject` refuses it (INDEX_DECREASED); `reset`: the counter began again at 0; `wrap_32` and `wrap_64`: it
    counts modulo 2**32 or 2**64 of the source's units.
    """

    series: Annotated[tuple[Name, ...], Field(max_length=8)] = ()
    opens_at: Literal["first", "zero"] = "first"
    on_decrease: Literal["reject", "reset", "wrap_32", "wrap_64"] = "reject"


class PartRule(Document):
    """Which part of a session a record is: the list that has the value of `field`."""

    field: Name
    first: tuple[str, ...] = ()
    middle: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    single: tuple[str, ...] = ()

    @property
    def values(self) -> dict[str, tuple[str, ...]]:
        """The values of every part."""
        return {"first": self.first, "middle": self.middle, "last": self.last, "single": self.single}


class Assembly(Document):
    """Partial records with the same texts of `key` become one EDR.

    It has the sum of their quantities, and time, attributes and owner of the first. It comes with the part that completes the
    set: `sequence` numbers it without a gap from first to last; without `sequence`, first and last are enough. A session of
    which nothing came for `time_out` of stage time ends with what there is.
    """

    key: Annotated[tuple[Name, ...], Field(min_length=1, max_length=8)]
    part: PartRule
    sequence: Name | None = None
    time_out: Annotated[timedelta, Field(ge=timedelta(seconds=1), le=TIME_OUT_MAX)] = timedelta(hours=6)


class Sequence(Document):
    """`field` numbers the records of a stream, upwards by one; the texts of `per`, joined by "/", tell streams apart."""

    field: Name
    per: Annotated[tuple[Name, ...], Field(max_length=8)] = ()
