"""Definition of sources whose files a plug-in decodes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.source_base import EventMapping, SourceBase
from schemas.source_transform import Option, PluginName, PluginVersion


class PluginSource(SourceBase):
    """Files that a Python plug-in turns into Arrow record batches, whose columns are then read as an Arrow source's are.

    `plugin` is the name of an entry point of the group `octroi.decoders`; `version` that of the distribution it comes from:
    exactly this one has to be installed, because another one may read other records from the same file. `options` are
    the plug-in's own.
    """

    format: Literal["plugin"]
    plugin: PluginName
    version: PluginVersion
    options: Annotated[dict[str, Option], Field(max_length=64)] = {}
    mapping: EventMapping
