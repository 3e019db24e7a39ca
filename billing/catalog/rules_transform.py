"""Rules of transforms: plug-ins between decoding and mapping."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from billing.catalog.checking import Context
from billing.catalog.models import Entry, Path
from schemas.source import R151Source, SourceBase
from schemas.source_transform import REFUSED


def check_transform(ctx: Context, entry: Entry[Any], source: SourceBase, fields: Iterable[tuple[Path, str]]) -> None:
    """Check what a transform reads and writes; `fields` are (path, name) of what the mapping reads."""
    transform = source.transform
    if transform is None:
        return
    if isinstance(source, R151Source):
        message = "R151 has no mapping that could read what it writes"
        ctx.problems.at(entry, ("transform",), message, "remove it", key=True)
        return
    ctx.unique(entry, ("transform", "reads"), transform.reads, "field")
    ctx.unique(entry, ("transform", "writes"), transform.writes, "column")
    mapped = list(fields)
    for index, name in enumerate(transform.writes):
        path = ("transform", "writes", index)
        if name == REFUSED:
            ctx.problems.at(entry, path, f"`{REFUSED}` is where a transform says why it refuses a row", "remove it")
        elif name not in {field for _, field in mapped}:
            message = f'nothing in the mapping reads the column "{name}"'
            ctx.problems.at(entry, path, message, "name it in the mapping, or remove it")
    for at, name in mapped:
        if name == REFUSED:
            message = f"`{REFUSED}` is where the transform says why it refuses a row: no field has this name beside it"
            ctx.problems.at(entry, at, message, "read another field")
