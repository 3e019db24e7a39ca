"""Sources of meter data of other countries: NEM12, NEM13, Green Button, MSCONS, P1, and tables that the source describes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from schemas.price_plan import Code, Document
from schemas.source_base import CutMinutes, EventMapping, FieldName, SourceBase, expect_cuttable

MeterRecords = Literal["intervals", "readings"]
TableColumn = Literal[
    "point", "start", "end", "value", "unit", "series", "quality", "created_at", "meter",
]  # fmt: skip
Minutes = Annotated[int, Field(ge=1, le=1440)]


class TableSeries(Document):
    """What one register, or one column, of a table measures.

    `channel` is an OBIS code; without a `unit` that of the row counts.
    """

    channel: FieldName
    measure: FieldName = "EA"
    direction: Literal["consumption", "production"] = "consumption"
    time_class: str = ""
    unit: str = ""


class MeterTable(Document):
    """What the columns of delimited text are.

    `layout`: `long` has a value in each row, `columns` a value in each of the columns that `series` names, `day` a day in each
    row, with a column for each of its steps from the column `first_step` on. `columns` is what octroi needs -> the header's
    name, or several, which are joined by a blank. `series`: text of the column `series`, or name of a column -> what it is.
    """

    layout: Literal["long", "columns", "day"] = "long"
    columns: Annotated[dict[TableColumn, FieldName | tuple[FieldName, ...]], Field(min_length=1)]
    series: Annotated[dict[str, TableSeries], Field(min_length=1, max_length=1000)]
    point: str = ""
    stamp: Literal["start", "end"] = "start"
    step_minutes: Minutes | None = None
    first_step: FieldName | None = None
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ";"
    decimal: Literal[".", ","] = "."
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "YYYY-MM-DD hh:mm"
    qualities: dict[str, Literal["R", "E", "S", "C"]] = {}
    skip_lines: Annotated[int, Field(ge=0, le=100)] = 0


class MeterDataSource(SourceBase):
    """Meter data that is told from its shape: NEM12 and NEM13, Green Button (ESPI), MSCONS, P1 telegrams, or a `table`.

    `strict` refuses a file whole at its first fault; otherwise what can be read is, and what is beside a fault is parked.
    `zone` is for instants without an offset. `demand_minutes`: each interval tells the mean power of that long until its end;
    `demand_windows`: which of these windows count, all of them or those that end on a multiple of their length since midnight.
    `demand_to`: `octroi energy create` states the demand of windows over all files of this source as usage of that one.
    `cut_minutes`: intervals are read as grains of so many minutes, so that one that is stated again in another length takes the
    place of all that it covers.
    """

    format: Literal["meter_data"]
    records: MeterRecords
    strict: bool = True
    zone: str | None = None
    demand_minutes: Minutes | None = None
    demand_windows: Literal["rolling", "fixed"] = "rolling"
    demand_to: Code | None = None
    cut_minutes: CutMinutes | None = None
    table: MeterTable | None = None
    mapping: EventMapping

    @model_validator(mode="after")
    def _fits(self) -> MeterDataSource:
        if self.demand_minutes is not None and self.records != "intervals":
            raise ValueError("only intervals have a demand: leave `demand_minutes` out")
        if self.demand_windows == "fixed" and (self.demand_minutes is None or 1440 % self.demand_minutes):
            raise ValueError("fixed windows have `demand_minutes` that divide a day")
        if self.demand_to is not None and (self.records != "intervals" or self.demand_minutes is not None):
            raise ValueError("`demand_to` is of intervals, and `demand_minutes` of the source that it names")
        if self.cut_minutes is not None:
            expect_cuttable(self.records, self.mapping)
            if self.demand_minutes is not None:
                raise ValueError(
                    "demand is of whole intervals: `cut_minutes` goes with `demand_to`, not with `demand_minutes`"
                )
        table = self.table
        if table is None:
            return self
        needed: tuple[TableColumn, ...] = {"long": ("start", "value"), "columns": ("start",), "day": ("start",)}[
            table.layout
        ]  # type: ignore[assignment]
        if missing := [name for name in needed if name not in table.columns]:
            raise ValueError(f"a table of the layout `{table.layout}` has the columns {', '.join(missing)}")
        if ("point" in table.columns) == bool(table.point):
            raise ValueError("say either which column is the `point`, or which one the whole file is of")
        if table.layout == "day" and (table.first_step is None or self.records != "intervals"):
            raise ValueError("a table of days has intervals, from the column `first_step` on")
        if self.records == "intervals" and table.step_minutes is None and "end" not in table.columns:
            raise ValueError("intervals have `step_minutes`, or a column `end`")
        if table.layout != "columns" and len(table.series) > 1 and "series" not in table.columns:
            raise ValueError("with several `series`, a column says which one a row is of")
        if self.zone is None and "Z" not in table.pattern:
            raise ValueError("instants without an offset have a `zone`")
        return self
