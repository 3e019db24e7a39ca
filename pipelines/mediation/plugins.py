"""Plug-ins: Python that an operator installed beside octroi, found by entry point and pinned to a version.

A decoder is a function `decode(stream, options)`: it reads a binary stream that gives bytes and knows no place (as a pipe), and
yields `pyarrow.RecordBatch`es of one schema. It must be pure: the same bytes and options give the same rows, on every
machine and in every year, because a replay calls it again.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, BinaryIO

import pyarrow as pa

from pipelines.mediation.failures import UnableToCompileSource, UnableToDecodeFile
from schemas.source_base import SourceBase
from schemas.source_plugin import Option, PluginSource

DECODERS = "octroi.decoders"
TOLD_MAX = 200


class UnableToUsePlugin(UnableToCompileSource):
    """A plug-in is not installed, or not in the version that a source names: nothing can be said about its files."""


Decode = Callable[[BinaryIO, Mapping[str, Option]], Iterator[pa.RecordBatch]]


@dataclass(frozen=True, slots=True)
class Plugin:
    """An installed plug-in: its name, its distribution's version, and its function."""

    name: str
    version: str
    function: Decode

    def batches(self, stream: BinaryIO, options: Mapping[str, Option]) -> Iterator[pa.RecordBatch]:
        """Yield what the plug-in makes of a file.

        Raises:
            UnableToDecodeFile: PLUGIN_FAILED, whatever goes wrong in it.
        """
        schema: pa.Schema | None = None
        try:
            for batch in self.function(stream, dict(options)):
                if not isinstance(batch, pa.RecordBatch):
                    raise TypeError(f"it yields {type(batch).__name__} instead of pyarrow.RecordBatch")
                if schema is not None and not batch.schema.equals(schema):
                    raise TypeError("it yields batches of more than one schema")
                schema = batch.schema
                yield batch
        except UnableToDecodeFile:
            raise
        except (Exception, SystemExit) as error:
            last = traceback.format_exception_only(error)[-1].strip()[:TOLD_MAX]
            raise UnableToDecodeFile("PLUGIN_FAILED", f"plug-in {self.name} {self.version}: {last}") from error


def find_decoder(source: PluginSource) -> Plugin:
    """Return the plug-in that a source names, loaded.

    Raises:
        UnableToUsePlugin: when it is not installed, not in this version, installed twice, or cannot be loaded.
    """
    point = _entry_point(source.plugin)
    found = point.dist.version if point.dist is not None else ""
    if found != source.version:
        raise UnableToUsePlugin(
            f"plugin: {source.plugin} {source.version} is needed, and {found or 'none'} is installed"
        )
    try:
        function: Any = point.load()
    except (Exception, SystemExit) as error:
        last = traceback.format_exception_only(error)[-1].strip()[:TOLD_MAX]
        raise UnableToUsePlugin(f"plugin: {source.plugin} {found} cannot be loaded: {last}") from error
    if not callable(function):
        raise UnableToUsePlugin(f"plugin: {source.plugin} {found} is no function")
    return Plugin(source.plugin, found, function)


def _entry_point(name: str) -> EntryPoint:
    found = list(entry_points(group=DECODERS, name=name))
    if len(found) != 1:
        installed = ", ".join(sorted({point.name for point in entry_points(group=DECODERS)})) or "none"
        many = f"is installed {len(found)} times" if found else "is not installed"
        raise UnableToUsePlugin(f"plugin: {name!r} {many} (plug-ins for decoding: {installed})")
    return found[0]


def check_plugins(sources: Mapping[str, SourceBase]) -> None:
    """Check that every plug-in that sources name is installed in its version.

    Raises:
        UnableToUsePlugin: with the source's code.
    """
    for code, source in sorted(sources.items()):
        if isinstance(source, PluginSource):
            try:
                find_decoder(source)
            except UnableToUsePlugin as error:
                raise UnableToUsePlugin(f"source {code!r}: {error}") from error
