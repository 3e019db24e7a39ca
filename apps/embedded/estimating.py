"""Estimate what a load curve lacks, from files on disk to a file on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

from pipelines.mediation.container import check_container, open_container
from pipelines.mediation.enedis.decoder import read_rows
from pipelines.mediation.enedis.estimates import Method, as_records, fill
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.unpack import UnableToReadFile
from schemas.energy import RecordKind

BYTES_MAX, RATIO_MAX = 1 << 30, 200
"""Of a file: all of its steps are in memory at once."""


class UnableToEstimate(Exception):
    """A file cannot be read, or what is estimated cannot be written."""


def estimate(curve: Path, indexes: Path | None, method: str, output: Path) -> dict[str, Any]:
    """Write what is estimated of a curve; return how many steps, and the days that are left.

    Raises:
        UnableToEstimate: when a file cannot be read, or the output is there already.
    """
    with ExitStack() as stack:
        try:
            intervals = _rows(stack, curve, "intervals")
            readings = iter(()) if indexes is None else _rows(stack, indexes, "readings")
            gaps = fill(intervals, readings, cast(Method, method))
        except (UnableToReadFile, UnableToDecodeFile, OSError) as error:
            raise UnableToEstimate(str(error)) from error
    rows = list(as_records(gaps.rows))
    try:
        with output.open("x", encoding="utf-8") as file:
            json.dump({"intervals": rows}, file, ensure_ascii=False, indent=0)
    except OSError as error:
        raise UnableToEstimate(f"cannot write {output}: {error.strerror}") from error
    left = [{"point": point, "day": day, "why": why} for point, day, why in gaps.left]
    return {"estimated": len(rows), "left": left}


def _rows(stack: ExitStack, path: Path, kind: RecordKind) -> Iterator[dict[str, str]]:
    size = path.stat().st_size
    found = check_container(path, size=size, bytes_max=BYTES_MAX, ratio_max=RATIO_MAX)
    return read_rows(stack.enter_context(open_container(path, found.kind, size=size)), kind)
