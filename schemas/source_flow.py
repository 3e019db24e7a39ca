"""How the records of a source hang together: counters that only grow."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.price_plan import Document

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
