"""Files that did not come, through the real command: by names in the log, quarantined and backed out ones included."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from cli_calls import ANA, CATALOG, HEADER, NOON, write_catalog
from cli_octroi import octroi

NAMES = r"'CALLS_(?P<node>\w)_(?P<sequence>\d{4})\.zip!\w+_(?P<part>\d)_(?P<parts>\d)\.csv'"
COUNTED = CATALOG.replace("mapping:\n", f"file_names: {{per: [node], pattern: {NAMES}}}\nmapping:\n", 1)


def _delivery(directory: Path, node: str, number: int, *parts: str) -> Path:
    path = directory / f"CALLS_{node}_{number:04}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for part in parts:
            archive.writestr(f"calls_{part}.csv", f"{HEADER}\n{node}{number}{part},{ANA},{NOON},60\n")
        archive.writestr("other.csv", "no header at all")
    return path


def _gaps(data: Path, *arguments: object) -> list[tuple[Any, ...]]:
    found = octroi("files", "gaps", *arguments, "--data", data, "--json").ok().json
    names = ("stream", "problem", "number_from", "number_to", "part_from", "part_to", "missing", "claims")
    return [tuple(row[name] for name in names) for row in found]


def test_missing_numbers_and_parts_are_told_from_the_log(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", COUNTED)
    first, second = _delivery(tmp_path, "c", 7, "1_3", "3_3"), _delivery(tmp_path, "c", 9, "1_1")
    octroi("run", data).ok()
    assert (
        octroi("files", "gaps", "--data", data).ok().out
        == "nothing is missing of 1 source whose file names are counted\n"
    )
    assert octroi("ingest", first, second, "--source", "calls", "--data", data).code == 5
    expected = [
        ("", "unreadable_name", None, None, None, None, 0, [4]),
        ("", "unreadable_name", None, None, None, None, 0, [6]),
        ("c", "missing_parts", 7, 7, 2, 2, 1, [2, 3]),
        ("c", "missing", 8, 8, None, None, 1, [2, 3, 5]),
    ]
    assert _gaps(data) == expected
    octroi("files", "back-out", 5, "--reason", "wrong", "--data", data).ok()
    assert _gaps(data, "--source", "calls")[-1] == ("c", "unusable", 9, 9, 1, 1, 0, [5])
    rows = list(csv.DictReader(io.StringIO(octroi("files", "gaps", "--csv", "--data", data).ok().out)))
    assert [(row["problem"], row["claims"]) for row in rows][2] == ("missing_parts", "2 3")
    assert "missing_parts" in octroi("files", "gaps", "--data", data).ok().out
    assert octroi("files", "gaps", "--source", "nobody", "--data", data).code == 2


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("{pattern: '('}", "file_names.pattern: this is no regular expression"),
        ("{pattern: 'x'}", "file_names.pattern: nothing in it counts files"),
        (r"{pattern: '(?P<sequence>\d)(?P<part>\d)'}", "file_names.pattern: a part is one of so many"),
        (r"{per: [a], pattern: '(?P<sequence>\d)(?P<b>\d)'}", 'file_names.per.0: no group "a" tells streams apart'),
    ],
    ids=["expression", "counts", "parts", "per"],
)
def test_what_cannot_be_counted_is_refused(names: str, told: str, tmp_path: Path) -> None:
    from billing.catalog.models import UnableToLoadCatalog
    from billing.catalog.store import load_catalog

    data = write_catalog(tmp_path, CATALOG.replace("mapping:\n", f"file_names: {names}\nmapping:\n", 1))
    with pytest.raises(UnableToLoadCatalog) as refused:
        load_catalog(data / "catalog")
    assert told in str(refused.value)
