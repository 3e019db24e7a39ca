"""Files of requests on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.cli.failures import WrongUsage
from apps.cli.json_lines import read_requests


def test_every_line_is_a_request_and_a_line_separator_within_a_text_ends_none(tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text('{"id": "a\u2028b"}\n\n{"id": "c"}\r\n', encoding="utf-8", newline="")
    assert read_requests(file) == [{"id": "a\u2028b"}, {"id": "c"}]


@pytest.mark.parametrize(
    ("line", "told"),
    [(b"{", "line 2: no JSON"), (b"[1]", "line 2: no JSON object"), (b"7", "line 2"), (b"\xff", "no UTF-8")],
    ids=["broken", "list", "number", "bytes"],
)
def test_what_is_no_request_is_wrong_usage_that_names_the_line(tmp_path: Path, line: bytes, told: str) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_bytes(b'{"id": "a"}\n' + line + b"\n")
    with pytest.raises(WrongUsage, match=told):
        read_requests(file)
