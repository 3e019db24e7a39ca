"""Decodes damaged Arrow and Parquet files one after another, in a process whose memory is bounded. No part of the product.

Arguments: how many, and a seed. Whatever ends the process, or is no refusal, is a defect.
"""

from __future__ import annotations

import io
import random
import resource
import sys
from typing import Any

import pyarrow as pa
from mediation_columns import LAYOUTS, column_decoder, column_file

from pipelines.mediation.decode import check_file, decode_blocks
from pipelines.mediation.failures import UnableToDecodeFile

MEMORY = 6 << 30


def _table() -> pa.Table:
    rows = 50
    return pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "switch": pa.array(["a", "b"] * (rows // 2)).dictionary_encode(),
            "caller": pa.array([None, "33611"] * (rows // 2), pa.large_string()),
            "at": pa.array([1_777_622_400] * rows, pa.timestamp("s", "UTC")),
            "seconds": pa.array([1.5] * rows),
            "zone": pa.array(["EU"] * rows),
        }
    )


def _damaged(chance: random.Random, whole: bytes) -> bytes:
    data = bytearray(whole)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                data[at : at + 8] = chance.choice([b"\xff" * 8, bytes(8), b"\xff\xff\xff\x7f" * 2, chance.randbytes(8)])
            case 2:
                del data[at : at + chance.randint(1, 64)]
            case 3:
                data[at:at] = data[chance.randrange(len(data)) :][: chance.randint(1, 64)]
    return bytes(data)


def main(count: int, seed: int) -> None:
    """Decode `count` damaged files."""
    chance = random.Random(seed)
    wholes = [
        (layout, column_file(layout, _table(), rows, compression))
        for layout in LAYOUTS
        for rows in (7, 100)
        for compression in (None, "zstd", "lz4")
    ]
    decoders: dict[str, Any] = {layout: column_decoder(layout) for layout in LAYOUTS}
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    refused = 0
    for _ in range(count):
        layout, whole = chance.choice(wholes)
        data = _damaged(chance, whole)
        try:
            check_file(decoders[layout], io.BytesIO(data))
        except UnableToDecodeFile:
            refused += 1
            continue
        for _ in decode_blocks(decoders[layout], io.BytesIO(data), claim=1, block_bytes=1 << 20):
            pass  # what was checked decodes
    print(count, refused)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
