"""A number changes hands in a later catalog: written down when it takes effect, and the same after a replay of the log."""

from __future__ import annotations

import shutil
from pathlib import Path

from cli_calls import ANA, BOB, CATALOG, call, write_calls, write_catalog
from cli_octroi import balanced, octroi, query

NOON_CHANGE = CATALOG.replace(
    f'access_points: [{{id: "{ANA}"}}]', f'access_points: [{{id: "{ANA}", end: "2026-10-05T12:30:00Z"}}]'
).replace(
    f'access_points: [{{id: "{BOB}"}}]',
    f'access_points: [{{id: "{BOB}"}}, {{id: "{ANA}", start: "2026-10-05T12:30:00Z"}}]',
)
SQL = "SELECT access_point, from_subscription, to_subscription, at, until, retroactive, claim FROM access_transfer"


def test_a_transfer_is_written_down_and_leaves_rated_usage_alone(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data")
    late = "2026-10-05T13:00:00Z"
    first = write_calls(tmp_path / "first.csv", call(1), call(2, at=late))
    octroi("ingest", first, "--source", "calls", "--data", data).ok()
    assert query(data, SQL) == []
    write_catalog(data, NOON_CHANGE)
    second = write_calls(tmp_path / "second.csv", call(2, at=late), call(3), call(4, at=late))
    octroi("ingest", second, "--source", "calls", "--data", data).ok()
    (row,) = query(data, SQL)
    assert (row["access_point"], row["from_subscription"], row["to_subscription"]) == (ANA, "ana", "bob")
    assert row["at"].startswith("2026-10-05T12:30:00")
    assert (row["until"], row["claim"]) == (None, 3)
    owners = query(data, "SELECT claim, record, subscription FROM edr ORDER BY claim, record")
    assert [(line["claim"], line["record"], line["subscription"]) for line in owners] == [
        (2, 0, "ana"),
        (2, 1, "ana"),  # sent again as record 0 of claim 4: a duplicate, with its first owner
        (4, 1, "ana"),
        (4, 2, "bob"),
    ]
    balanced(data)

    rows = query(data, "SELECT * FROM access_transfer")
    shutil.rmtree(data / "store")
    shutil.rmtree(data / "state")
    octroi("run", data).ok()
    assert query(data, "SELECT * FROM access_transfer") == rows
