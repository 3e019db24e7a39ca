"""The first ten minutes of docs/http-api.md, with plain curl, end with what Ana's usage costs; and no secret is in a log."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
from document_texts import blocks, sections
from shell_run import free_port, run_shell

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "http-api.md").read_text()


def test_the_first_ten_minutes(tmp_path: Path) -> None:
    script = "set -e\n" + "".join(blocks(sections(PAGE)["The first ten minutes"], "sh")).replace(
        "8080", str(free_port())
    )
    asked = script[script.index("ask /v1/queries/revenue") : script.index("octroi user add")]
    others = "".join(
        asked.replace("text/csv", kind).replace("revenue.csv", f"revenue.{ending}")
        for kind, ending in (
            ("application/json", "json"),
            ("application/x-ndjson", "ndjson"),
            ("application/vnd.apache.arrow.stream", "arrows"),
        )
    )
    script = script.replace("kill -TERM", f"{others}kill -TERM")
    out, err = run_shell(script, tmp_path, 600)

    def told(name: str) -> dict[str, object]:
        found: dict[str, object] = json.loads((tmp_path / f"{name}.json").read_text())
        return found

    log = (tmp_path / "serve.log").read_text()
    assert told("pays").get("above") == ["ana-ca", "ana", "acme"], (told("pays"), out, err)
    assert told("line")["status"] == "ACTIVE"
    assert told("published").items() >= {"accounts": 1, "subscriptions": 1}.items()
    assert told("published")["image"]
    assert (told("receipt")["accepted"], told("receipt")["rated"]) == (1, 1), told("receipt")
    (row,) = csv.DictReader(io.StringIO((tmp_path / "revenue.csv").read_text()))
    assert "0.05" in {value.rstrip("0") for value in row.values()}, row
    answer = json.loads((tmp_path / "revenue.json").read_text())
    assert answer["has_more"] is False
    assert json.loads((tmp_path / "revenue.ndjson").read_text()) == answer["data"][0]
    table = pa.ipc.open_stream((tmp_path / "revenue.arrows").read_bytes()).read_all()
    assert (table.num_rows, table.column_names) == (1, list(row)) == (len(answer["data"]), list(answer["data"][0]))
    assert (told("session")["name"], told("seen")["code"]) == ("carla", "ana"), (told("session"), told("seen"))
    cookie = (tmp_path / "cookies").read_text().split()[-1]
    secrets = [
        cookie.partition(".")[2],
        (tmp_path / "token").read_text().strip().partition(".")[2],
        "carla",
        "bicycles",
    ]
    assert all(secrets)
    for private in secrets:
        assert private not in log
    assert f"user={told('session')['user']}" in log
    key = (tmp_path / "key").read_text().strip()
    for private in (key, key[34:], "Ana", "ana-ba", "+33600000001"):
        assert private not in log
    assert "key=me" in log
