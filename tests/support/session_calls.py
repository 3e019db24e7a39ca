"""A small catalog of calls that come in parts, and files of them."""

from __future__ import annotations

from pathlib import Path

from cli_calls import ANA, CATALOG

HEADER = "call,number,kind,caller,at,seconds"
PARTS = CATALOG.replace("code: calls\n", "code: parts\n").replace(
    """mapping:
  identity: [id]
""",
    """mapping:
  identity: [call, number, kind]
  assembly:
    key: [call]
    sequence: number
    part: {field: kind, first: [F], middle: [I], last: [L], single: [S]}
    time_out: PT1H
""",
)
"""A second costs one cent; a session waits for an hour."""


def part(call: int, number: int, kind: str, seconds: int = 10, caller: str = ANA) -> str:
    """Return one line: part `number` of a call that began at noon."""
    return f"{call},{number},{kind},{caller},2026-10-05T12:00:{number:02}Z,{seconds}"


def write_parts(path: Path, *lines: str) -> Path:
    """Write a file of parts; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *lines, ""]))
    return path
