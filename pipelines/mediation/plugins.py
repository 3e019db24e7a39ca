"""Plug-ins: Python that an operator installed beside octroi, found by entry point and pinned to a version.

A decoder is a function `decode(stream, options)`: it reads a binary stream that gives bytes and knows no place (as a pipe), and
yields `pyarrow.RecordBatch`es of one schema. A transform is a function `transform(columns, options)`: it is given a
`pyarrow.RecordBatch` of text and returns as many rows of other columns, as anything that Arrow can take. Both must be pure: the
same input and options give the same rows, on every machine and in every year, because a replay calls them again.
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
from schemas.source_plugin import PluginSource
from schemas.source_transform import REFUSED, Option, Transform

DECODERS = "octroi.decoders"
TRANSFORMS = "octroi.transforms"
_KINDS = {DECODERS: ("plugin", "decoding"), TRANSFORMS: ("transform", "transforming")}
"""Of each group of entry points: the field of a source that names one, and what they are for."""
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
            UnableToDecodeFile: PLUGIN_FAILED, whatever goes wrong in it. UnableToUsePlugin: when it is the machine that failed.
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
            _expect_data_to_blame(error, f"plug-in {self.name} {self.version}")
            raise UnableToDecodeFile("PLUGIN_FAILED", f"plug-in {self.name} {self.version}: {_last(error)}") from error


Transforming = Callable[[pa.RecordBatch, Mapping[str, Option]], Any]


@dataclass(frozen=True, slots=True)
class Transformer:
    """An installed transform: its name, its distribution's version, and its function."""

    name: str
    version: str
    function: Transforming

    def columns(self, given: pa.RecordBatch, transform: Transform) -> dict[str, Any]:
        """Return the columns that the plug-in makes of some rows, by name: those it has to write, and perhaps its refusals.

        Raises:
            UnableToDecodeFile: PLUGIN_FAILED, whatever goes wrong in it. UnableToUsePlugin: when it is the machine that failed.
        """
        try:
            returned = self.function(given, dict(transform.options))
            if not isinstance(returned, pa.RecordBatch | pa.Table) and not hasattr(returned, "__arrow_c_stream__"):
                raise TypeError(f"it returns {type(returned).__name__} instead of columns")
            table = pa.table(returned)
        except (Exception, SystemExit) as error:
            _expect_data_to_blame(error, f"transform {self.name} {self.version}")
            raise self.failure(_last(error)) from error
        if table.num_rows != given.num_rows:
            raise self.failure(f"it returns {table.num_rows:,} rows for {given.num_rows:,}")
        found: dict[str, Any] = {}
        for name in (*transform.writes, REFUSED):
            places = table.schema.get_all_field_indices(name)
            if len(places) > 1 or (not places and name != REFUSED):
                what = "more than one column" if places else "no column"
                raise self.failure(f"it returns {what} {name!r}")
            if places:
                column = table.column(places[0])
                found[name] = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        return found

    def failure(self, why: str) -> UnableToDecodeFile:
        """Return the refusal of a file on which the plug-in failed."""
        return UnableToDecodeFile("PLUGIN_FAILED", f"transform {self.name} {self.version}: {why}")


def _expect_data_to_blame(error: BaseException, plugin: str) -> None:
    """Check that what went wrong in a plug-in may be the data's fault: refused for the machine's, a file would be lost.

    Not the data's are memory, a missing module, and what the operating system refuses: it says so by number, libraries that
    call a damaged file an OSError do not.

    Raises:
        UnableToUsePlugin: when it cannot be.
    """
    if isinstance(error, MemoryError | ImportError) or (isinstance(error, OSError) and error.errno is not None):
        told = f"{plugin}: {_last(error)}: the machine's failure, not the data's; nothing is decided, try again"
        raise UnableToUsePlugin(told) from error


def _last(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()[:TOLD_MAX]


def find_decoder(source: PluginSource) -> Plugin:
    """Return the decoder that a source names, loaded.

    Raises:
        UnableToUsePlugin: when it is not installed, not in this version, installed twice, or cannot be loaded.
    """
    return Plugin(source.plugin, source.version, _load(DECODERS, source.plugin, source.version))


def find_transform(transform: Transform) -> Transformer:
    """Return the transform that a source names, loaded.

    Raises:
        UnableToUsePlugin: as `find_decoder` does.
    """
    return Transformer(transform.name, transform.version, _load(TRANSFORMS, transform.name, transform.version))


def _load(group: str, name: str, version: str) -> Callable[..., Any]:
    point, field = _entry_point(group, name), _KINDS[group][0]
    found = point.dist.version if point.dist is not None else ""
    if found != version:
        raise UnableToUsePlugin(f"{field}: {name} {version} is needed, and {found or 'none'} is installed")
    try:
        function: Any = point.load()
    except (Exception, SystemExit) as error:
        raise UnableToUsePlugin(f"{field}: {name} {found} cannot be loaded: {_last(error)}") from error
    if not callable(function):
        raise UnableToUsePlugin(f"{field}: {name} {found} is no function")
    loaded: Callable[..., Any] = function
    return loaded


def _entry_point(group: str, name: str) -> EntryPoint:
    found = list(entry_points(group=group, name=name))
    if len(found) != 1:
        field, use = _KINDS[group]
        installed = ", ".join(sorted({point.name for point in entry_points(group=group)})) or "none"
        many = f"is installed {len(found)} times" if found else "is not installed"
        raise UnableToUsePlugin(f"{field}: {name!r} {many} (plug-ins for {use}: {installed})")
    return found[0]


def check_plugins(sources: Mapping[str, SourceBase]) -> None:
    """Check that every plug-in that sources name is installed in its version, and that transforms return what they should.

    Raises:
        UnableToUsePlugin: with the source's code.
    """
    for code, source in sorted(sources.items()):
        try:
            if isinstance(source, PluginSource):
                find_decoder(source)
            if source.transform is not None:
                _try(source.transform)
        except UnableToUsePlugin as error:
            raise UnableToUsePlugin(f"source {code!r}: {error}") from error


def _try(transform: Transform) -> None:
    """Give a transform no rows: what it returns of them shows its columns."""
    empty = pa.array([], pa.string())
    none = pa.RecordBatch.from_arrays([empty] * len(transform.reads), list(transform.reads))
    try:
        find_transform(transform).columns(none, transform)
    except UnableToDecodeFile as error:
        raise UnableToUsePlugin(f"transform: given no rows, {error.message}") from error
