"""Containers that were damaged anywhere, in any way: what was packed comes out, or a typed refusal."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

from containers import (
    text_or_refusal,
    write,
    zip_by_hand,
    zip_of,
    zip_streamed,
    zip_wide,
    zipped,
    zstd_frame,
)
from hypothesis import given
from hypothesis import strategies as st

TEXT = b"id,at\n" + b"".join(b"%d,2026-05-01 10:00:00\n" % n for n in range(20))
SEEDS = (
    gzip.compress(TEXT, mtime=0),
    zstd_frame(TEXT),
    zstd_frame(TEXT[:9]) + zstd_frame(TEXT[9:]),
    zipped(TEXT),
    zip_streamed(TEXT, wide=True),
    zip_wide(TEXT),
    zip_by_hand(TEXT),
    zip_of(("a/", b""), ("a/b.csv", TEXT), ("c/", b"")),
)
REFUSALS = {"CORRUPT_ARCHIVE", "UNSUPPORTED_ARCHIVE", "ARCHIVE_BOMB"}
MAGIC_BYTES = 4
edits = st.tuples(
    st.integers(0, 1 << 16),
    st.integers(0, 8),
    st.one_of(
        st.binary(max_size=8), st.sampled_from([b"\xff" * 4, b"\xff" * 8, bytes(4), b"PK\x05\x06", b"PK\x01\x02"])
    ),
)


def edited(data: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """Return the bytes after the magic with pieces of them replaced."""
    for at, removed, put in changes:
        begin = MAGIC_BYTES + at % (len(data) - MAGIC_BYTES + 1)
        data = data[:begin] + put + data[begin + removed :]
    return data


@given(seed=st.sampled_from(SEEDS), changes=st.lists(edits, min_size=1, max_size=4))
def test_a_damaged_container_holds_what_was_packed_or_is_refused(
    seed: bytes, changes: list[tuple[int, int, bytes]]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        found = text_or_refusal(write(Path(directory), edited(seed, changes)))
    assert found in REFUSALS or found == TEXT
