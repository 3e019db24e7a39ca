"""What is exported reads back as it was, whole or not at all, with a hash that sha256sum confirms."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from apps import exporting
from apps.exporting import FORMS, UnableToExport, export_batches

AT = datetime(2026, 10, 1, 8, 30, 0, 250_000, tzinfo=UTC)
ROWS = {
    "id": pa.array(["ri-1-0", "=1+1", None, "é;\"'\n"], pa.string()),
    "amount": pa.array(
        [Decimal("0.000000001"), Decimal("-12345678901234567890.5"), None, Decimal(7)], pa.decimal128(38, 9)
    ),
    "count": pa.array([1, 2**63, None, 0], pa.uint64()),
    "at": pa.array([AT, AT, None, AT], pa.timestamp("us", "UTC")),
    "day": pa.array([date(2026, 10, 1)] * 4, pa.date32()),
    "raw": pa.array([b"\x00\xff", b"a", None, b""], pa.binary()),
    "ok": pa.array([True, False, None, True], pa.bool_()),
}
TABLE = pa.table(ROWS)


def _batches(copies: int = 3) -> Iterator[pa.RecordBatch]:
    return iter(TABLE.to_batches() * copies)


@pytest.mark.parametrize("form", FORMS)
def test_the_hash_is_that_of_the_file(tmp_path: Path, form: str) -> None:
    seen: list[int] = []
    path = tmp_path / f"out.{form}"
    done = export_batches(_batches(), path, form, seen.append)
    assert (done.rows, sum(seen)) == (12, 12)
    assert done.bytes == path.stat().st_size
    assert done.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (tmp_path / f"out.{form}.sha256").read_text() == f"{done.sha256}  out.{form}\n"
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name, f"{path.name}.sha256"]


def test_columns_come_back_as_they_were(tmp_path: Path) -> None:
    expected = pa.concat_tables([TABLE] * 3)
    export_batches(_batches(), tmp_path / "a.parquet", "parquet", lambda rows: None)
    assert pq.read_table(tmp_path / "a.parquet").equals(expected)
    export_batches(_batches(), tmp_path / "a.arrow", "arrow", lambda rows: None)
    assert pa.ipc.open_file(str(tmp_path / "a.arrow")).read_all().equals(expected)


def test_csv_is_exact(tmp_path: Path) -> None:
    export_batches(_batches(1), tmp_path / "a.csv", "csv", lambda rows: None)
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["ri-1-0", "=1+1", "", "é;\"'\n"]
    assert Decimal(rows[0]["amount"]) == Decimal("0.000000001")
    assert Decimal(rows[1]["amount"]) == Decimal("-12345678901234567890.5")
    assert [row["count"] for row in rows] == ["1", str(2**63), "", "0"]
    assert [row["raw"] for row in rows] == ["00ff", "61", "", ""]
    assert datetime.fromisoformat(rows[0]["at"]) == AT


def test_a_sheet_keeps_numbers_exact_and_texts_texts(tmp_path: Path) -> None:
    export_batches(_batches(1), tmp_path / "a.xlsx", "xlsx", lambda rows: None)
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    heading, first, second, third, _ = sheet.iter_rows()
    assert [cell.value for cell in heading] == TABLE.column_names
    assert first[1].value == pytest.approx(1e-9)
    assert second[1].value == "-12345678901234567890.500000000"
    assert second[2].value == str(2**63)
    assert (second[0].value, second[0].data_type) == ("=1+1", "s")
    assert first[3].value == AT.replace(tzinfo=None)
    assert all(cell.value is None for cell in third[:4])


def test_what_does_not_fit_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "XLSX_ROWS_MAX", 5)
    with pytest.raises(UnableToExport, match="holds 5 rows"):
        export_batches(_batches(), tmp_path / "a.xlsx", "xlsx", lambda rows: None)
    assert list(tmp_path.iterdir()) == []


def test_a_text_that_a_cell_cannot_hold_is_refused(tmp_path: Path) -> None:
    longer = iter(pa.table({"x": ["a" * 32_768]}).to_batches())
    with pytest.raises(UnableToExport, match="holds 32,767 characters"):
        export_batches(longer, tmp_path / "a.xlsx", "xlsx", lambda rows: None)
    assert list(tmp_path.iterdir()) == []


def test_two_exports_to_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"

    def interrupted() -> Iterator[pa.RecordBatch]:
        yield from _batches()
        export_batches(_batches(1), path, "csv", lambda rows: None)
        yield from _batches()

    done = export_batches(interrupted(), path, "csv", lambda rows: None)
    assert done.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (tmp_path / "a.csv.sha256").read_text().startswith(done.sha256)
    with path.open(newline="", encoding="utf-8") as file:
        assert sum(1 for _ in csv.DictReader(file)) == done.rows == 24


def test_a_result_without_rows_has_its_columns(tmp_path: Path) -> None:
    empty = iter([pa.RecordBatch.from_pylist([], TABLE.schema)])
    assert export_batches(empty, tmp_path / "a.csv", "csv", lambda rows: None).rows == 0
    assert (tmp_path / "a.csv").read_text().startswith('"id","amount"')
