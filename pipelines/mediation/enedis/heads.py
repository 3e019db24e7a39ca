"""What a file of a distributor is, by its first bytes."""

from __future__ import annotations

from typing import BinaryIO, Literal

from pipelines.mediation.failures import UnableToDecodeFile

HEAD_BYTES = 4096
_BLANK = b" \t\r\n\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff")
Shape = Literal["", "xml", "json", "text"]


def read_up_to(stream: BinaryIO, size: int) -> bytes:
    """Return the next bytes of a stream, fewer than `size` only at its end, though it may give few at once."""
    pieces, held = list[bytes](), 0
    while held < size and (piece := stream.read(size - held)):
        pieces.append(piece)
        held += len(piece)
    return b"".join(pieces)


def read_head(stream: BinaryIO) -> tuple[bytes, Shape]:
    """Return the first bytes of a file, blanks among them, and what it is; "" for one of nothing but white space.

    Raises:
        UnableToDecodeFile: WRONG_ENCODING for JSON or text in UTF-16 or UTF-32; an XML parser knows them.
    """
    head = b""
    while not head.strip(_BLANK):
        piece = stream.read(HEAD_BYTES)
        if not piece:
            return b"", ""
        head = head[-3:] + piece if head else piece
    if len(head) < len(_BLANK) and (more := stream.read(HEAD_BYTES)):
        head += more
    first = head.lstrip(_BLANK)
    wide = first[:2] in _WIDE or b"\x00" in first[:4]
    shown = first[2:].replace(b"\x00", b"")[:1] if first[:2] in _WIDE else first.replace(b"\x00", b"")[:1]
    if shown == b"<":
        return head, "xml"
    if wide:
        raise UnableToDecodeFile("WRONG_ENCODING", "the file is not UTF-8: it is in UTF-16 or UTF-32")
    return head, "json" if first[:1] in (b"{", b"[") else "text"
