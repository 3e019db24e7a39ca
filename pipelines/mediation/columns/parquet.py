"""Parquet, in batches of the columns that are asked for, read page by page."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.mediation.failures import UnableToDecodeFile

MAGIC, ENCRYPTED = b"PAR1", b"PARE"
FOOTER_MAX = 64 << 20
"""Bytes of metadata: thousands of row groups of thousands of columns."""
PAGE_READ = 1 << 20
ROWS = 8192
"""Rows asked for at once; where blocks are cut does not depend on it."""
EXPANSION_MAX = 1000
"""What a column may expand to, as a multiple of the whole file, beyond the first 64 MiB."""
FREE_BYTES = 64 << 20


def _damaged(told: str) -> UnableToDecodeFile:
    return UnableToDecodeFile("MALFORMED_COLUMNS", f"this is no Parquet file: {told}")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def open_parquet(stream: BinaryIO) -> pq.ParquetFile:
    """Return an open Parquet file.

    Raises:
        UnableToDecodeFile: MALFORMED_COLUMNS or BATCH_TOO_LARGE, or PACKED_COLUMNS for a file within an archive.
    """
    if not stream.seekable():
        told = "a Parquet file is read from its end, and is compressed inside: send it as it is, not in an archive"
        raise UnableToDecodeFile("PACKED_COLUMNS", told)
    size = stream.seek(0, io.SEEK_END)
    if size < 12:
        raise _damaged("it is too short")
    stream.seek(size - 8)
    tail = stream.read(8)
    if tail[4:] == ENCRYPTED:
        raise _damaged("it is encrypted")
    if tail[4:] != MAGIC:
        raise _damaged("its end is missing")
    footer = int.from_bytes(tail[:4], "little")
    if footer > min(FOOTER_MAX, size - 12):
        raise _damaged(f"its metadata has {footer} bytes")
    stream.seek(0)
    try:
        file = pq.ParquetFile(
            cast(Any, pa.PythonFile(cast(Any, stream), mode="r")),
            buffer_size=PAGE_READ,
            pre_buffer=False,
            thrift_string_size_limit=FOOTER_MAX,
            thrift_container_size_limit=1_000_000,
        )
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise _damaged(_first_line(error)) from error
    _check_sizes(file.metadata, size)
    return file


def _check_sizes(metadata: pq.FileMetaData, size: int) -> None:
    rows = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        rows += group.num_rows
        if group.num_rows < 0 or group.total_byte_size > max(FREE_BYTES, EXPANSION_MAX * size):
            told = (
                f"row group {number} expands to {group.total_byte_size} bytes, more than {EXPANSION_MAX} times the file"
            )
            raise UnableToDecodeFile("BATCH_TOO_LARGE", told)
    if rows != metadata.num_rows:
        raise _damaged(f"its row groups have {rows} rows, and it says {metadata.num_rows}")


def parquet_batches(file: pq.ParquetFile, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of some columns (of their leaves, by dotted path), in order.

    Raises:
        UnableToDecodeFile: MALFORMED_COLUMNS.
    """
    for number in range(file.metadata.num_row_groups):
        found = 0
        try:
            for batch in file.iter_batches(ROWS, row_groups=[number], columns=list(columns), use_threads=False):
                found += batch.num_rows
                yield batch
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            raise _damaged(f"row group {number}: {_first_line(error)}") from error
        if found != file.metadata.row_group(number).num_rows:
            raise _damaged(
                f"row group {number} has {found} rows, and it says {file.metadata.row_group(number).num_rows}"
            )
