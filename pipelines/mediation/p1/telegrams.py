"""P1 telegrams (DSMR 2.2 to 5.0.2 of the Netherlands, e-MUCS P1 of Belgium): their lines, and their checksum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.text_lines import PIECE_BYTES

TELEGRAM_BYTES_MAX = 1 << 16
BEGIN, END = ord("/"), ord("!")
_TABLE = [0] * 256
for _byte in range(256):
    _crc = _byte
    for _ in range(8):
        _crc = (_crc >> 1) ^ 0xA001 if _crc & 1 else _crc >> 1
    _TABLE[_byte] = _crc


def crc16(data: bytes) -> int:
    """Return CRC-16/ARC: polynomial x16 + x15 + x2 + 1, lowest bit first, from 0."""
    crc = 0
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 255]
    return crc


@dataclass(slots=True)
class Telegram:
    """A telegram.

    Attributes:
        line: on which it begins. name: what its meter calls itself. lines: (line, code, values in brackets) in order.
        doubt: what is wrong with its checksum, or with a line; "" for nothing. One without a checksum has none to be wrong.
    """

    line: int
    name: str
    lines: list[tuple[int, str, list[str]]] = field(default_factory=list)
    doubt: str = ""


def read_telegrams(stream: BinaryIO, head: bytes) -> Iterator[Telegram]:
    """Yield the telegrams of a file. What is between them, and one that the file begins or ends within, is an error.

    Raises:
        UnableToDecodeFile: MALFORMED_METER_DATA with the line; RECORD_TOO_LONG.
    """
    rest, line, piece = head, 1, head
    while True:
        while (found := _cut(rest)) is not None:
            begin, end = found
            between = rest[:begin].strip(b"\r\n\t \x00")
            if between:
                raise UnableToDecodeFile("MALFORMED_METER_DATA", f"line {line}: {between[:20]!r} stands in no telegram")
            line += rest[:begin].count(b"\n")
            yield _telegram(rest[begin:end], line)
            line += rest[begin:end].count(b"\n")
            rest = rest[end:]
        if len(rest) > TELEGRAM_BYTES_MAX:
            raise UnableToDecodeFile(
                "RECORD_TOO_LONG", f"line {line}: a telegram is longer than {TELEGRAM_BYTES_MAX} bytes"
            )
        if not piece:
            break
        piece = stream.read(PIECE_BYTES)
        rest = rest + piece if piece else rest + b"\n"
    if rest.strip(b"\r\n\t \x00"):
        told = rest.strip()[:20].decode("latin-1")
        raise UnableToDecodeFile("MALFORMED_METER_DATA", f"line {line}: {told!r} is no whole telegram")


def _cut(data: bytes) -> tuple[int, int] | None:
    """Return where the first telegram begins and ends, behind the line of its checksum; None for none that is whole."""
    begin = data.find(b"/")
    if begin < 0:
        return None
    mark = begin if data[begin : begin + 1] == b"!" else data.find(b"\n!", begin)
    end = -1 if mark < 0 else data.find(b"\n", mark + 1)
    return None if end < 0 else (begin, end + 1)


def _telegram(data: bytes, line: int) -> Telegram:
    mark = data.rindex(b"\n!") + 1
    body, said = data[: mark + 1], data[mark + 1 :].strip()
    text = body[:-1].decode("latin-1").split("\n")
    found = Telegram(line, text[0].strip()[1:])
    found.doubt = _checked(body, said)
    for number, read in enumerate(text[1:], line + 1):
        row = read.strip()
        if row.startswith("(") and found.lines:  # DSMR 2.2 and 3 write the value of a gas meter on a line of its own
            found.lines[-1][2].extend(_brackets(row))
        elif row:
            code, bracket, values = row.partition("(")
            if not bracket or not row.endswith(")"):
                found.doubt = found.doubt or f"line {number}: {row[:20]!r} has no value in brackets"
                continue
            found.lines.append((number, code, _brackets(bracket + values)))
    return found


def _brackets(text: str) -> list[str]:
    return text[1:-1].split(")(")


def _checked(body: bytes, said: bytes) -> str:
    """Return what is wrong with a checksum. It is that of lines that end with CR and LF, which a file may have lost."""
    if not said:
        return ""
    whole = body if b"\r\n" in body else body.replace(b"\n", b"\r\n")
    try:
        wanted = int(said, 16)
    except ValueError:
        wanted = -1
    counted = crc16(whole)
    if len(said) == 4 and counted == wanted:
        return ""
    return f"the checksum is {said[:8].decode('latin-1')}, but that of the telegram is {counted:04X}"
