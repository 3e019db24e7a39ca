"""Definition of sources whose files a plug-in decodes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.source_base import EventMapping, SourceBase

Option = str | int | bool
PluginName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class PluginSource(SourceBase):
    """Files that a Python plug-in turns into Arrow record batches, whose columns are then read as an Arrow source's are.

    `plugin` is the name of an entry point of the group `octroi.decoders`; `version` that of the distribution it comes from:
    exactly this one has to be installed, because another one may read other records from the same file. `options` are
    the plug-in's own.
    """

    format: Literal["plugin"]
    plugin: PluginName
    version: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    options: Annotated[dict[str, Option], Field(max_length=64)] = {}
    mapping: EventMapping
