"""How JSON records lie in a file: one per line, in arrays, or as documents."""

from __future__ import annotations

from typing import BinaryIO, Literal

import numpy as np

from pipelines.mediation.blocks import read_into
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.text import UTF8_MARK

HEAD_BYTES = 65_536
SAMPLE_BYTES = 256
NUL_SHARE = 4
"""A quarter of NUL bytes at the start of a file means UTF-16, UTF-32 or no text at all."""
Layout = Literal["lines", "array", "document"]


def read_head(stream: BinaryIO) -> bytes:
    """Return the first bytes of a file without a UTF-8 byte order mark.

    Raises:
        UnableToDecodeFile: WRONG_ENCODING when the file is UTF-16 or UTF-32: JSON is UTF-8.
    """
    buffer = np.empty(HEAD_BYTES, np.uint8)
    head = buffer[: read_into(stream, buffer, 0, HEAD_BYTES)].tobytes()
    sample = head[:SAMPLE_BYTES]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or (
        len(sample) >= NUL_SHARE and sample.count(0) * NUL_SHARE >= len(sample)
    ):
        raise UnableToDecodeFile("WRONG_ENCODING", "the file is not UTF-8 text")
    return head.removeprefix(UTF8_MARK)


def detect_layout(head: bytes) -> Layout:
    """Return how records lie in a file that begins with `head`.

    A bracket begins an array. An object whose first line ends where printers break lines (after a comma or an opening
    bracket), while the next line begins no other object, is a document. Anything else is read line by line, so that what is
    broken is refused line by line.
    """
    text = head.lstrip(b" \t\r\n")
    if text.startswith(b"["):
        return "array"
    first, _, rest = text.partition(b"\n")
    first, rest = first.rstrip(b" \t\r"), rest.lstrip(b" \t\r\n")
    if not first.startswith(b"{") or not first.endswith((b"{", b"[", b",")) or not rest:
        return "lines"
    if rest.startswith(b"{") and not first.endswith(b"["):
        return "lines"
    return "document"
