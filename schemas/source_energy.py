"""Sources of the flows of distributors of electricity and gas."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from schemas.energy import Nature, RecordKind, Status
from schemas.price_plan import Code, Document, ExactDecimal
from schemas.source_base import CutMinutes, EventMapping, FieldName, SourceBase, expect_cuttable

GasColumn = Literal[
    "point", "start", "end", "energy", "volume", "converted", "coefficient", "nature", "status", "id", "reason",
    "publication", "created_at",
]  # fmt: skip
GAS_COLUMNS: tuple[GasColumn, ...] = ("point", "start", "end", "energy")
"""Those that a table must have."""


EnedisFlow = Literal[
    "C12", "C15", "C68", "F12", "F15", "HDM", "R15", "R151", "R17", "R171", "R4x", "R50", "R63", "R64", "R65", "R66", "R67",
    "X12", "X13", "X14",
]  # fmt: skip


class Bounds(Document):
    """What is too much to be true: a mean power above `power_w` times `margin`, in W. `points` have powers of their own.

    Steps of curves are bounded by their power, energies by what that power comes to in their period, and largest powers.
    What is beyond is parked (DOUBTFUL_READING); corrected with an empty `doubt`, it counts.
    """

    power_w: Annotated[int, Field(ge=1, le=1_000_000_000)]
    margin: Annotated[ExactDecimal, Field(ge=1, le=100, max_digits=9, decimal_places=6)] = Decimal("1.3")
    points: Annotated[dict[FieldName, Annotated[int, Field(ge=1, le=1_000_000_000)]], Field(max_length=1_000_000)] = {}


class EnergySource(SourceBase):
    """What both have: `records` says what is read.

    `cut`: quantities of longer periods are cut at the first of every month, by days; `months_max`: what lies longer before its
    reading is parked.
    """

    records: RecordKind
    cut: Literal["none", "month"] = "none"
    months_max: Annotated[int, Field(ge=1, le=120)] | None = None
    mapping: EventMapping

    @model_validator(mode="after")
    def _cuts_quantities(self) -> EnergySource:
        if self.cut == "month" and self.records != "quantities":
            raise ValueError("only quantities have periods to cut: leave `cut` out")
        if self.months_max is not None and self.cut == "none":
            raise ValueError("`months_max` asks for `cut: month`")
        if self.cut == "month" and "start" not in self.mapping.identity:
            raise ValueError("what is cut has one identity with its other parts: add `start` to the identity")
        return self


class EnedisSource(EnergySource):
    """Flows of Enedis, which is told from their shape; `records` says what is read of them, and the mapping names its columns.

    See `schemas.energy` for the columns. A flow that has no such records is refused whole. `priority` names flows, the best
    first: of several that state the same, theirs has the highest `version`, whenever it was made; others come last.
    `differences_to`: readings are kept, whatever the order in which they come, and `octroi energy create` states what they
    differ by as quantities of that source. `cut_minutes`: steps of curves are read as grains of so many minutes, so that one
    that is stated again in another length takes the place of all that it covers.
    """

    format: Literal["enedis"]
    priority: Annotated[tuple[EnedisFlow, ...], Field(max_length=20)] = ()
    bounds: Bounds | None = None
    differences_to: Code | None = None
    cut_minutes: CutMinutes | None = None

    @model_validator(mode="after")
    def _cuts_intervals(self) -> EnedisSource:
        if self.cut_minutes is not None:
            expect_cuttable(self.records, self.mapping)
        return self

    @model_validator(mode="after")
    def _differences(self) -> EnedisSource:
        if self.differences_to is None:
            return self
        if self.records != "readings":
            raise ValueError("only readings have differences: leave `differences_to` out")
        if self.mapping.quantity.cumulative is not None or self.hold:
            raise ValueError("what is kept bills nothing by itself: leave `cumulative` and `hold` out")
        return self


class GrdfTable(Document):
    """What the columns of delimited text are: `columns` is what octroi needs -> the header's name.

    `energy` is in kWh, volumes in m3. `pattern` is that of instants, of Europe/Paris without an offset. `natures` and
    `statuses` give texts their letters. With a column `publication` only the texts `published`
    may be billed; without it all rows are.
    """

    columns: Annotated[dict[GasColumn, FieldName], Field(min_length=len(GAS_COLUMNS))]
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ";"
    decimal: Literal[".", ","] = ","
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "DD/MM/YYYY hh:mm"
    natures: dict[str, Nature] = {}
    statuses: dict[str, Status] = {}
    published: tuple[str, ...] = ()


class GrdfSource(EnergySource):
    """Flows of GRDF: answers of ADICT and the portal's JSON; delimited text where `table` says what its columns are.

    Informative data are filtered, whatever the mapping says.
    """

    format: Literal["grdf"]
    records: Literal["quantities", "readings", "events"]
    table: GrdfTable | None = None
