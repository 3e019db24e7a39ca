"""Arrow and Parquet sources and files for tests: the same records as a delimited file has."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from mediation_world import CDR_MAPPING, context

from pipelines.mediation.decode import Decoder, make_decoder
from schemas.source_columns import ArrowSource, ParquetSource

LAYOUTS = ("stream", "file", "parquet")


def column_source(layout: str, **changes: Any) -> ArrowSource | ParquetSource:
    """Return the source of one layout; `mapping` is changed key by key."""
    given = {"mapping": CDR_MAPPING | changes.pop("mapping", {}), **changes}
    if layout == "parquet":
        return ParquetSource.model_validate({"kind": "source", "code": "cdr", "format": "parquet"} | given)
    return ArrowSource.model_validate({"kind": "source", "code": "cdr", "format": "arrow"} | given)


def column_decoder(layout: str, **changes: Any) -> Decoder:
    """Return the decoder of such a source."""
    return make_decoder(context(column_source(layout, **changes)))


def column_file(layout: str, table: pa.Table, rows: int = 1000, compression: str | None = None) -> bytes:
    """Return a table as a file, in batches or row groups of `rows`."""
    if layout == "parquet":
        target = io.BytesIO()
        pq.write_table(table, target, row_group_size=rows, compression=compression or "none")
        return target.getvalue()
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    make = pa.ipc.new_file if layout == "file" else pa.ipc.new_stream
    with make(sink, table.schema, options=options) as writer:
        for batch in table.to_batches(max_chunksize=rows):
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()
