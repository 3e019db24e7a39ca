"""Arrow and Parquet read as the same records in text do; what is wrong with a file refuses it whole."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from mediation_columns import LAYOUTS, column_decoder, column_file
from mediation_world import blocks_of, decode, delimited, reasons

from pipelines.mediation.columns import ipc, parquet
from pipelines.mediation.columns.flatbuffer import BrokenTable, Table
from pipelines.mediation.container import check_container, open_container
from pipelines.mediation.decode import check_file
from pipelines.mediation.failures import UnableToDecodeFile

START = datetime(2026, 5, 1, 8, 0, 0, 123456)
WORDS = ["33611", "33612", 'a "quoted", name', "back\\slash", "tab\there", "é€😀", None, ""]
ROWS = 40


def texts() -> dict[str, list[Any]]:
    """The columns as text."""
    return {
        "id": [str(number) for number in range(ROWS)],
        "switch": ["a", "b"] * (ROWS // 2),
        "caller": (WORDS * ROWS)[:ROWS],
        "at": [str(START + timedelta(seconds=number)) for number in range(ROWS)],
        "seconds": [f"{number * 1.25}" for number in range(ROWS)],
        "zone": (["EU", "US", None, "zone with a long name €"] * ROWS)[:ROWS],
    }


def as_csv(columns: dict[str, list[Any]]) -> bytes:
    """The same as a delimited file."""

    def cell(value: Any) -> str:
        return "" if value is None else '"' + str(value).replace('"', '""') + '"'

    lines = [",".join(columns)] + [",".join(map(cell, row)) for row in zip(*columns.values(), strict=True)]
    return "\n".join(lines).encode()


def without_raw(records: list[Any]) -> list[Any]:
    return [(record.reason, record.event_at, record.rest) for record in records]


def same_as_text(layout: str, table: pa.Table, columns: dict[str, list[Any]], **changes: Any) -> None:
    found = decode(column_decoder(layout, **dict(changes)), column_file(layout, table))
    assert without_raw(found) == without_raw(decode(delimited(**dict(changes)), as_csv(columns)))
    assert "NONE" in {record.reason.name for record in found}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int16(), pa.string())]
)
def test_text_reads_as_text(layout: str, kind: pa.DataType) -> None:
    if layout == "parquet" and kind == pa.string_view():
        kind = pa.large_string()
    table = pa.table({name: pa.array(values, pa.string()).cast(kind) for name, values in texts().items()})
    same_as_text(layout, table, texts())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_typed_columns_read_as_their_text(layout: str, unit: str) -> None:
    columns = texts()
    times = [START.replace(microsecond=0) + timedelta(seconds=number) for number in range(ROWS)]
    fraction = {"s": ".000" if layout == "parquet" else "", "ms": ".000", "us": ".000000", "ns": ".000000000"}[unit]
    columns["at"] = [f"{time}{fraction}" for time in times]
    table = pa.table(
        {
            "id": pa.array(range(ROWS), pa.uint64()),
            "switch": pa.array(columns["switch"]).dictionary_encode(),
            "caller": columns["caller"],
            "at": pa.array(times, pa.timestamp(unit)),
            "seconds": pa.array([number * 1.25 for number in range(ROWS)], pa.float64()),
            "zone": columns["zone"],
        }
    )
    columns["seconds"] = [f"{number * 1.25:g}" for number in range(ROWS)]
    same_as_text(layout, table, columns)
    decimals = [Decimal(number) * Decimal("1.25") for number in range(ROWS)]
    table = table.set_column(4, "seconds", pa.array(decimals, pa.decimal128(30, 5)))
    columns["seconds"] = [f"{value:.5f}" for value in decimals]
    same_as_text(layout, table, columns)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_instant_is_the_same_in_every_zone(layout: str) -> None:
    at = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
    for zone in ("UTC", "Asia/Kolkata", "+02:00"):
        table = pa.table({name: [values[0]] for name, values in texts().items()})
        table = table.set_column(3, "at", pa.array([at], pa.timestamp("us", zone)))
        (record,) = decode(column_decoder(layout, mapping={"time": {"field": "at"}}), column_file(layout, table))
        assert record.event_at == int(at.timestamp()) * 1_000_000


def test_a_clock_needs_a_zone() -> None:
    table = pa.table({name: [values[0]] for name, values in texts().items()})
    table = table.set_column(3, "at", pa.array([START], pa.timestamp("us")))
    source = column_decoder("stream", mapping={"time": {"field": "at"}})
    assert reasons(source, column_file("stream", table)) == ["TIMESTAMP_WITHOUT_ZONE"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_dotted_path_leads_into_structs(layout: str) -> None:
    columns = texts()
    inner = pa.StructArray.from_arrays([pa.array(columns["caller"]), pa.array(columns["zone"])], ["caller", "zone"])
    outer = pa.StructArray.from_arrays([inner, pa.array(columns["at"])], ["party", "at"])
    table = pa.table(
        {
            "id": columns["id"],
            "switch": columns["switch"],
            "seconds": columns["seconds"],
            "call": outer,
            "d.z": columns["zone"],
        }
    )
    mapping = {
        "access_point": "call.party.caller",
        "time": {"field": "call.at", "zone": "Europe/Paris"},
        "attributes": {"zone": "d.z"},
    }
    found = decode(column_decoder(layout, mapping=mapping), column_file(layout, table))
    assert without_raw(found) == without_raw(decode(delimited(), as_csv(columns)))


def test_a_struct_that_is_null_has_no_members() -> None:
    table = pa.table({name: [values[0]] for name, values in texts().items() if name != "caller"})
    kind = pa.struct([("caller", pa.string())])
    table = table.append_column("party", pa.array([None], kind))
    source = column_decoder("stream", mapping={"access_point": "party.caller"})
    assert reasons(source, column_file("stream", table)) == ["FIELD_MISSING"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_refused_record_is_kept_as_json(layout: str) -> None:
    columns = texts() | {"id": list(range(ROWS)), "seconds": ["x"] * ROWS}
    found = decode(column_decoder(layout), column_file(layout, pa.table(columns)))
    for row, record in enumerate(found):
        values = {name: values[row] for name, values in columns.items()}
        assert json.loads(record.raw) == {
            name: values[name] for name in ("id", "switch", "caller", "at", "seconds", "zone")
        }


def test_numbers_that_are_none_are_refused_one_by_one() -> None:
    table = pa.table({name: values[:6] for name, values in texts().items()})
    numbers = pa.array([float("nan"), float("inf"), -1.0, 1e300, 1e-9, 2.5])
    table = table.set_column(4, "seconds", numbers)
    assert reasons(column_decoder("stream"), column_file("stream", table)) == [
        "INVALID_QUANTITY", "INVALID_QUANTITY", "NEGATIVE_QUANTITY", "QUANTITY_OVERFLOW", "QUANTITY_PRECISION", "NONE",
    ]  # fmt: skip
    extreme = pa.array([2**62, -(2**62), 0, 1, 2, 1_777_622_400], pa.int64()).cast(pa.timestamp("s"))
    found = reasons(column_decoder("stream"), column_file("stream", table.set_column(3, "at", extreme).slice(0, 2)))
    assert found == ["INVALID_TIMESTAMP", "INVALID_TIMESTAMP"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_records_that_are_too_long_or_hold_nul_are_refused_one_by_one(layout: str) -> None:
    columns = {name: values[:3] for name, values in texts().items()}
    columns["caller"] = ["x" * 2000, "a\x00b", "33611"]
    for kind in (pa.string(), pa.dictionary(pa.int32(), pa.string())):
        table = pa.table(columns).set_column(2, "caller", pa.array(columns["caller"]).cast(kind))
        source = column_decoder(layout, record_bytes_max=1000)
        assert reasons(source, column_file(layout, table)) == ["RECORD_TOO_LONG", "NUL_BYTE", "NONE"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_where_blocks_are_cut_is_no_matter_of_batches(layout: str) -> None:
    table = pa.table(texts())
    cuts = []
    for rows in (1, 3, 7, 1000):
        blocks = blocks_of(column_decoder(layout), column_file(layout, table, rows), block_bytes=400)
        cuts.append([(block.position.first_record, len(block)) for block in blocks])
    assert len(cuts[0]) > 3
    assert all(cut == cuts[0] for cut in cuts)


def test_rows_of_one_block_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.mediation.columns import blocks

    monkeypatch.setattr(blocks, "ROWS_MAX", 16)
    found = blocks_of(column_decoder("stream"), column_file("stream", pa.table(texts())))
    assert [len(block) for block in found] == [16, 16, 8]


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_columns_come_compressed(layout: str, compression: str) -> None:
    table = pa.table(texts())
    plain, packed = (column_file(layout, table, 1000, how) for how in (None, compression))
    assert without_raw(decode(column_decoder(layout), packed)) == without_raw(decode(column_decoder(layout), plain))


# ---- files that are refused


def refused(layout: str, data: bytes, **changes: Any) -> UnableToDecodeFile:
    with pytest.raises(UnableToDecodeFile) as found:
        decode(column_decoder(layout, **changes), data)
    return found.value


@pytest.mark.parametrize("layout", LAYOUTS)
def test_columns_that_do_not_fit_are_named(layout: str) -> None:
    table = pa.table(texts())
    assert refused(layout, column_file(layout, table.drop_columns(["caller"]))).message == "column 'caller' is missing"
    lists = table.set_column(2, "caller", pa.array([[1]] * ROWS))
    assert refused(layout, column_file(layout, lists)).code == "WRONG_COLUMN_TYPE"
    mapping = {"access_point": "caller.number"}
    assert refused(layout, column_file(layout, table), mapping=mapping).code == "MISSING_COLUMN"


@pytest.mark.parametrize("layout", ["stream", "file"])
def test_a_column_that_is_there_twice_is_refused(layout: str) -> None:
    table = pa.table(texts())
    assert refused(layout, column_file(layout, table.append_column("id", table["id"]))).code == "DUPLICATE_COLUMN"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_that_ends_anywhere_is_refused(layout: str) -> None:
    data = column_file(layout, pa.table({name: values[:2] for name, values in texts().items()}))
    end = data.rindex(b"\xff\xff\xff\xff\x00\x00\x00\x00") + 8 if layout == "file" else len(data)
    for size in (*range(0, end, 41), *range(end - 12, end)):
        assert refused(layout, data[:size]).code == "MALFORMED_COLUMNS", size


def test_text_that_is_not_utf8_refuses_the_file() -> None:
    column = pa.array([b"\xff\xfe"] * ROWS, pa.binary()).view(pa.string())
    table = pa.table(texts()).set_column(2, "caller", column)
    assert refused("stream", column_file("stream", table)).code == "MALFORMED_COLUMNS"


def test_a_zone_that_is_not_utf8_refuses_the_file() -> None:
    zoned = pa.array([START] * ROWS, pa.timestamp("us", "Europe/Paris"))
    data = column_file("stream", pa.table(texts()).set_column(3, "at", zoned))
    assert data.count(b"Europe/Paris") == 1
    assert refused("stream", data.replace(b"Europe/Paris", b"\x94urope/Paris")).code == "MALFORMED_COLUMNS"


def test_an_archive_of_a_parquet_file_is_refused_and_of_an_arrow_stream_read(tmp_path: Path) -> None:
    for layout in ("stream", "parquet"):
        path = tmp_path / layout
        path.write_bytes(gzip.compress(column_file(layout, pa.table(texts()))))
        size = path.stat().st_size
        info = check_container(path, size=size, bytes_max=1 << 30, ratio_max=1000)
        decoder = column_decoder(layout)
        with open_container(path, info.kind, size=size) as stream:
            if layout == "stream":
                check_file(decoder, stream)
                continue
            with pytest.raises(UnableToDecodeFile) as found:
                check_file(decoder, stream)
            assert found.value.code == "PACKED_COLUMNS"


def test_only_what_was_claimed_of_a_parquet_file_is_read(tmp_path: Path) -> None:
    data = column_file("parquet", pa.table(texts()))
    path = tmp_path / "a.parquet"
    path.write_bytes(data + b"and what was appended later")
    with open_container(path, "plain", size=len(data)) as stream:
        check_file(column_decoder("parquet"), stream)
    with open_container(path, "plain", size=len(data) + 5) as stream, pytest.raises(UnableToDecodeFile):
        check_file(column_decoder("parquet"), stream)


# ---- what would expand without an end


@pytest.mark.parametrize("compression", ["lz4", "zstd", None])
def test_a_batch_that_expands_too_far_is_refused_before_it_does(
    monkeypatch: pytest.MonkeyPatch, compression: str | None
) -> None:
    monkeypatch.setattr(ipc, "MESSAGE_MAX", 100_000)
    columns = texts() | {"caller": ["x" * 10_000] * ROWS}
    data = column_file("stream", pa.table(columns), 1000, compression)
    assert compression is None or len(data) < 20_000
    assert refused("stream", data, record_bytes_max=100_000).code == "BATCH_TOO_LARGE"
    small = column_file("stream", pa.table(columns), 2, compression)
    assert len(decode(column_decoder("stream"), small)) == ROWS


def test_dictionaries_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipc, "MESSAGE_MAX", 50_000)
    sink = pa.BufferOutputStream()
    kind = pa.dictionary(pa.int32(), pa.string())
    schema = pa.table(texts()).schema.set(2, pa.field("caller", kind))
    with pa.ipc.new_stream(sink, schema) as writer:
        for letter in "abcdefgh":
            columns = {name: values[:1] for name, values in texts().items()} | {"caller": [letter * 10_000]}
            arrays = [pa.array(values).cast(schema.field(name).type) for name, values in columns.items()]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
    assert refused("stream", sink.getvalue().to_pybytes()).code == "BATCH_TOO_LARGE"


def test_rows_that_take_no_bytes_are_refused() -> None:
    rows = 100_000
    table = pa.table({name: pa.nulls(rows) for name in texts()})
    assert refused("stream", column_file("stream", table, rows)).code == "MALFORMED_COLUMNS"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_word_for_many_rows_is_written_out_block_by_block(layout: str) -> None:
    rows, word = 3000, "x" * 50_000
    column = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([word]))
    columns: dict[str, Any] = {name: [values[0]] * rows for name, values in texts().items()}
    table = pa.table(columns).set_column(2, "caller", column)
    largest = count = 0
    decoder = column_decoder(layout)
    data = column_file(layout, table, rows)
    assert len(data) < 2_000_000
    for block in blocks_of(decoder, data, block_bytes=1 << 20):
        largest, count = max(largest, len(block.text)), count + len(block)
    assert (count, largest <= 1 << 20) == (rows, True)


def test_a_row_group_that_says_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "FREE_BYTES", 1000)
    monkeypatch.setattr(parquet, "EXPANSION_MAX", 2)
    columns = texts() | {"caller": [f"{number}" + "x" * 1000 for number in range(ROWS)]}
    data = column_file("parquet", pa.table(columns), 1000, "zstd")
    assert refused("parquet", data).code == "BATCH_TOO_LARGE"


@pytest.mark.parametrize(
    "data",
    [b"", b"\x04", b"\xff\xff\xff\xff", b"\x04\x00\x00\x00\x00\x00\x00\x80", b"\x04\x00\x00\x00\xfc\xff\xff\xff\xff"],
)
def test_a_broken_table_leads_nowhere(data: bytes) -> None:
    with pytest.raises(BrokenTable):
        Table.root(data).number(0, "<q")
