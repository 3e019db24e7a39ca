"""Definition of a transform: a plug-in between decoding and mapping."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.price_plan import Document

Option = str | int | bool
PluginName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
PluginVersion = Annotated[str, StringConstraints(min_length=1, max_length=64)]
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
COLUMNS_MAX = 64
REFUSED = "refused"
"""The column in which a transform says why it refuses a row."""


class Transform(Document):
    """A Python function that is given the fields `reads` of a block of records and returns the columns `writes`.

    The mapping reads those by name, beside the record's other fields. `name` is that of an entry point of the group
    `octroi.transforms`; `version` that of the distribution it comes from: exactly this one has to be installed. `options`
    are the plug-in's own.
    """

    name: PluginName
    version: PluginVersion
    reads: Annotated[tuple[ColumnName, ...], Field(min_length=1, max_length=COLUMNS_MAX)]
    writes: Annotated[tuple[ColumnName, ...], Field(max_length=COLUMNS_MAX)] = ()
    options: Annotated[dict[str, Option], Field(max_length=64)] = {}
