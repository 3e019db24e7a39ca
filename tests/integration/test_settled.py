"""What a run says of refused records: those that wait, not those that it settled itself."""

from __future__ import annotations

from pathlib import Path

from cli_calls import CATALOG, STRANGER, call, write_calls, write_catalog
from cli_octroi import octroi, query

SUPERSEDE = CATALOG.replace("format: delimited\n", "format: delimited\non_same_key: supersede\n")


def _run(data: Path, name: str, *lines: str) -> str:
    write_calls(data / "spool" / "calls" / name, *lines)
    return octroi("run", data, "--rejects-max", "1").ok().out


def test_newer_records_that_took_their_places_do_not_wait(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", SUPERSEDE)
    assert "refused" not in _run(data, "a.csv", call(1), call(2), call(2, 90))
    assert "refused" not in _run(data, "b.csv", call(1, 70))  # its place was taken by another run
    write_calls(data / "spool" / "calls" / "c.csv", call(1, 80), call(3, caller=STRANGER), call(4, "x"))
    told = octroi("run", data, "--json").ok().json
    assert (told["totals"]["parked"], told["totals"]["rejected"], told["settled"]) == (1, 2, 1)
    write_calls(data / "spool" / "calls" / "d.csv", call(1, 60), call(5, caller=STRANGER))
    told_text = octroi("run", data).ok().out
    assert "1 refused: `octroi rejects list` says why" in told_text
    (waiting,) = query(data, "SELECT count() AS n FROM rejection WHERE status = 'OPEN'")
    assert waiting == {"n": 3}
