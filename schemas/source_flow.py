"""How the records of a source hang together: counters that only grow, sessions in parts."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.price_plan import Document

TIME_OUT_MAX = timedelta(days=62)
IDLE_MAX = timedelta(days=3660)
Name = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class SeriesBegin(Document):
    """Readings whose `field` is one of `values` begin their series anew."""

    field: Name
    values: Annotated[tuple[str, ...], Field(min_length=1, max_length=16)]


class Cumulative(Document):
    """The quantity is the reading of a counter: usage is the difference of consecutive readings of one series.

    A series is the access point with the texts of `series`, joined by "/". `opens_at` says what the first reading of a series
    is: `first` only opens it; `zero`: the counter began at 0, so the reading is usage. `on_decrease` says what a lower
    reading means: `reject` refuses it (INDEX_DECREASED); `reset`: the counter began again at 0; `wrap_32` and `wrap_64`: it
    counts modulo 2**32 or 2**64 of the source's units.

    `begins`: readings that begin the series anew, such as those after a meter was changed: nothing is counted up to them.
    `rolls_over_at`: the field that says at which value the counter began again at 0 since the reading before; empty where it
    did not. Both only where a lower reading is otherwise refused.

    `idle`: a series of which nothing came for so long is over. A later reading begins another one, and a reading older than
    that is parked (BEYOND_WINDOW). Without it a series is kept for ever. With `series_max` series, of whatever source, no
    other begins (TOO_MANY_SERIES). `order`: the readings of a block are taken as they come, or by `time`.
    """

    series: Annotated[tuple[Name, ...], Field(max_length=8)] = ()
    opens_at: Literal["first", "zero"] = "first"
    on_decrease: Literal["reject", "reset", "wrap_32", "wrap_64"] = "reject"
    idle: Annotated[timedelta, Field(ge=timedelta(days=1), le=IDLE_MAX)] | None = None
    series_max: Annotated[int, Field(ge=1, le=1_000_000_000)] = 20_000_000
    order: Literal["arrival", "time"] = "arrival"
    begins: SeriesBegin | None = None
    rolls_over_at: Name | None = None

    @property
    def marked_by(self) -> tuple[str, ...]:
        """The fields that say of a reading what it means besides its index."""
        named = (None if self.begins is None else self.begins.field, self.rolls_over_at)
        return tuple(name for name in named if name is not None)


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
    which nothing came for `time_out` of stage time ends.

    `quantity`: the `sum` of the parts', or the time `elapsed` from the first part to the last one; only the first needs an
    owner then, and of several firsts the earliest counts. `incomplete` says what a session is that ends without being
    complete: `rate` it with what there is (the default of sums), or `reject` it (SESSION_INCOMPLETE, the default of elapsed
    time). `late` says what a part is whose session has ended: `reject` parks it (LATE_PART), `separate` makes usage of its
    own of it, `reopen` withdraws the session's EDR, and the session waits again. While `open_max` sessions wait, no other
    begins (TOO_MANY_SESSIONS).
    """

    key: Annotated[tuple[Name, ...], Field(min_length=1, max_length=8)]
    part: PartRule
    sequence: Name | None = None
    time_out: Annotated[timedelta, Field(ge=timedelta(seconds=1), le=TIME_OUT_MAX)] = timedelta(hours=6)
    quantity: Literal["sum", "elapsed"] = "sum"
    incomplete: Literal["rate", "reject"] | None = None
    late: Literal["reject", "separate", "reopen"] = "reject"
    open_max: Annotated[int, Field(ge=1, le=100_000_000)] = 2_000_000

    @property
    def is_strict(self) -> bool:
        """Whether a session that is not complete is nothing to be rated."""
        return (self.incomplete or ("reject" if self.quantity == "elapsed" else "rate")) == "reject"


class Sequence(Document):
    """`field` numbers the records of a stream, upwards by one; the texts of `per`, joined by "/", tell streams apart."""

    field: Name
    per: Annotated[tuple[Name, ...], Field(max_length=8)] = ()
