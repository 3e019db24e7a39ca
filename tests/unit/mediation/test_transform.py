"""Transforms: plug-ins between decoding and mapping, and whatever goes wrong in one refuses the file."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mediation_columns import column_file, column_source
from mediation_world import CDR_HEADER, CDR_MAPPING, blocks_of, context, decode, delimited, raws, reasons
from mediation_world import quantity as quantity_of

from pipelines.mediation.decode import Decoder, check_file, check_records, describe, make_decoder
from pipelines.mediation.failures import UnableToCompileSource, UnableToDecodeFile
from pipelines.mediation.kernels.gather import gather
from pipelines.mediation.plugins import UnableToUsePlugin, check_plugins
from pipelines.mediation.rewrite.failures import UnableToRewrite
from pipelines.mediation.rewrite.rewriter import make_rewriter
from schemas.quantity import BUILT_IN_UNITS
from schemas.source import CloudEventsSource, R151Source

MODULE = '''\
import pyarrow as pa
import pyarrow.compute as pc


def minutes(columns, options):
    """Minutes and seconds, as numbers; a call without a minute is refused."""
    seconds = pc.add(pc.multiply(columns["min"].cast(pa.int64()), options.get("worth", 60)), columns["sec"].cast(pa.int64()))
    refused = pc.if_else(pc.equal(columns["min"], "0"), pc.binary_join_element_wise("only ", columns["sec"], " s", ""), None)
    return pa.RecordBatch.from_arrays([seconds, pc.utf8_upper(columns["zone"]), refused], ["seconds", "zone", "refused"])


def frame(columns, options):
    import polars as pl
    given = pl.from_arrow(columns)
    return given.select(seconds=pl.col("min").cast(pl.Int64) * 60 + pl.col("sec").cast(pl.Int64), zone="zone")


def fails(columns, options):
    if columns.num_rows == 0:
        return columns.rename_columns(["seconds", "x", "zone"])
    raise RuntimeError("row 7 is odd")


def spills(columns, options):
    raise MemoryError


def exits(columns, options):
    raise SystemExit(3)


def wrong(columns, options):
    return {"seconds": []}


def fewer(columns, options):
    return minutes(columns, options).slice(1)


def lacks(columns, options):
    return minutes(columns, options).drop_columns(["zone"])


def twice(columns, options):
    made = minutes(columns, options)
    return pa.RecordBatch.from_arrays([made["seconds"], made["zone"], made["zone"]], ["seconds", "zone", "zone"])


def lists(columns, options):
    return pa.table({"seconds": [[1]] * columns.num_rows, "zone": columns["zone"]})


def damaged(columns, options):
    column = pa.array([b"\\xff"] * columns.num_rows, pa.binary()).view(pa.string())
    return pa.table({"seconds": column, "zone": columns["zone"]})


def nul(columns, options):
    found = minutes(columns, options)
    return found.set_column(1, "zone", pc.if_else(pc.equal(columns["sec"], "5"), "E\\0", "EU"))


nothing = 7
'''
POINTS = (
    "minutes",
    "frame",
    "fails",
    "spills",
    "exits",
    "wrong",
    "fewer",
    "lacks",
    "twice",
    "lists",
    "damaged",
    "nul",
    "nothing",
)
SECOND = BUILT_IN_UNITS["s"].step_count
HEADER = b"id,switch,caller,at,min,sec,zone\n"
ROWS = [f"{number},a,33611,2026-05-01 10:00:0{number},{number % 3},{number},eu" for number in range(1, 9)]
DATA = HEADER + "\n".join(ROWS).encode()


@pytest.fixture(scope="module", autouse=True)
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Put an example distribution where it is found, as an installer does."""
    site = tmp_path_factory.mktemp("site")
    (site / "transforming_plugin.py").write_text(MODULE)
    info = site / "transforming-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: transforming\nVersion: 1.2\n")
    points = "".join(f"{name} = transforming_plugin:{name}\n" for name in POINTS)
    (info / "entry_points.txt").write_text(f"[octroi.transforms]\n{points}[octroi.decoders]\ndecodes = x:y\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(site))
        yield
    sys.modules.pop("transforming_plugin", None)


def transform(name: str = "minutes", **changes: Any) -> dict[str, Any]:
    return {"name": name, "version": "1.2", "reads": ["min", "sec", "zone"], "writes": ["seconds", "zone"]} | changes


def decoder(name: str = "minutes", changes: dict[str, Any] | None = None, **source: Any) -> Decoder:
    return make_decoder(context(delimited(transform=transform(name, **(changes or {})), **source)))


def test_the_mapping_reads_what_a_transform_writes_beside_the_record() -> None:
    found = decode(decoder(), DATA)
    plain = [row.split(",") for row in ROWS]
    lines = [",".join([*row[:4], str(int(row[4]) * 60 + int(row[5])), "EU"]) for row in plain]
    expected = decode(delimited(), CDR_HEADER + "\n".join(lines).encode())
    assert [record.rest for record in found if record.reason == 0] == [
        record.rest for record, row in zip(expected, plain, strict=True) if row[4] != "0"
    ]
    assert raws(found) == [row.encode() for row in ROWS]  # a rejection keeps what its sender sent
    assert [record.reason.name for record in found].count("REFUSED_BY_PLUGIN") == 2


def test_a_refusal_is_told_in_the_words_of_the_plugin() -> None:
    made = decoder()
    (block,) = blocks_of(made, DATA)
    assert describe(made, block, 2) == "only 3 s"
    assert made.field_names == ("id", "switch", "caller", "at", "seconds", "zone")


def test_options_reach_the_plugin_and_a_frame_is_taken() -> None:
    (record, *_) = decode(decoder(changes={"options": {"worth": 100}}), DATA)
    assert quantity_of(record) == 101 * SECOND
    (record, *_) = decode(decoder("frame"), DATA)
    assert (quantity_of(record), record.reason) == (61 * SECOND, 0)


def test_where_blocks_are_cut_is_the_decoders_own_matter() -> None:
    whole, cut = (decode(decoder(), DATA, block_bytes=size) for size in (1 << 20, 120))
    assert len(blocks_of(decoder(), DATA, block_bytes=120)) > 1
    assert whole == cut


def test_records_without_fields_do_not_reach_the_plugin() -> None:
    """Their reason stays, and so do those that the mapping finds in what the plug-in wrote."""
    bad = [ROWS[0], "1,2,3", b"\xff".join([b"9,a", b"x"]).decode("latin-1"), ROWS[3].replace(",a,33611", ",a,")]
    data = HEADER + "\n".join(bad).encode("latin-1")
    assert reasons(decoder(), data) == ["NONE", "FIELD_COUNT", "INVALID_ENCODING", "FIELD_MISSING"]
    assert reasons(decoder(), HEADER + b"1,2,3") == ["FIELD_COUNT"]
    made = decoder()
    (block,) = blocks_of(made, data)
    assert [describe(made, block, row) for row in (1, 3)] == ["3 fields instead of 7", "empty: caller"]


def test_a_text_with_a_nul_byte_refuses_its_record_alone() -> None:
    assert reasons(decoder("nul"), DATA)[3:6] == ["NONE", "NUL_BYTE", "REFUSED_BY_PLUGIN"]
    (block,) = blocks_of(decoder("nul"), DATA)
    matrix = block.matrix  # type: ignore[attr-defined]
    assert not matrix.end[:, 4].any()  # like every record that is refused for its bytes, it has no fields
    assert matrix.end[:, 5].any()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("fails", "transform fails 1.2: RuntimeError: row 7 is odd"),
        ("exits", "SystemExit: 3"),
        ("wrong", "it returns dict instead of columns"),
        ("fewer", "it returns 7 rows for 8"),
        ("lacks", "it returns no column 'zone'"),
        ("twice", "it returns more than one column 'zone'"),
        ("lists", "column 'seconds' is list<.*>, which has no text"),
        ("damaged", "column 'seconds' is damaged"),
    ],
)
def test_whatever_goes_wrong_in_a_transform_refuses_the_file(name: str, told: str) -> None:
    made = decoder(name)
    check_file(made, io.BytesIO(DATA))
    with pytest.raises(UnableToDecodeFile, match=told) as found:
        check_records(made, io.BytesIO(DATA), block_bytes=1 << 20)
    assert found.value.code == "PLUGIN_FAILED"


def test_what_is_no_fault_of_the_data_refuses_no_file() -> None:
    with pytest.raises(UnableToUsePlugin, match=r"transform spills 1\.2: MemoryError: the machine's failure"):
        check_records(decoder("spills"), io.BytesIO(DATA), block_bytes=1 << 20)


@pytest.mark.parametrize(
    ("name", "version", "told"),
    [
        ("absent", "1.2", r"'absent' is not installed \(plug-ins for transforming: .*minutes"),
        ("decodes", "1.2", "'decodes' is not installed"),
        ("minutes", "1.3", "minutes 1.3 is needed, and 1.2 is installed"),
        ("nothing", "1.2", "nothing 1.2 is no function"),
    ],
)
def test_a_transform_that_is_not_there_is_named(name: str, version: str, told: str) -> None:
    with pytest.raises(UnableToCompileSource, match=told):
        decoder(name, {"version": version})
    with pytest.raises(UnableToCompileSource, match=f"source 'cdr': transform: .*{told}"):
        check_plugins({"cdr": delimited(transform=transform(name, version=version))})


def test_what_a_transform_writes_is_checked_before_any_file() -> None:
    check_plugins({"cdr": delimited(transform=transform("fails")), "text": delimited()})
    with pytest.raises(
        UnableToCompileSource, match=r"given no rows, transform lacks 1\.2: it returns no column 'zone'"
    ):
        check_plugins({"cdr": delimited(transform=transform("lacks"))})


def test_every_format_with_a_mapping_takes_a_transform() -> None:
    table = pa.table({"id": ["1"], "switch": ["a"], "caller": ["3"], "at": ["2026-05-01 10:00:00"], "min": [2], "sec": [5],
                      "zone": ["eu"]})  # fmt: skip
    for layout in ("stream", "parquet"):
        made = make_decoder(context(column_source(layout, mapping=CDR_MAPPING, transform=transform())))
        (record,) = decode(made, column_file(layout, table))
        assert (quantity_of(record), record.reason) == (125 * SECOND, 0)
    events = CloudEventsSource.model_validate(
        {"kind": "source", "code": "e", "format": "cloudevents", "transform": transform(reads=["min", "sec", "zone"]),
         "mapping": CDR_MAPPING | {"identity": ["source", "id"], "access_point": "subject", "time": {"field": "time"}}}
    )  # fmt: skip
    event = b'{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"3","time":"2026-05-01T10:00:00Z",' \
            b'"min":2,"sec":"5","zone":"eu"}\n'  # fmt: skip
    (record, lacking) = decode(make_decoder(context(events)), event + event.replace(b'"type":"t",', b""))
    assert (quantity_of(record), record.reason, lacking.reason.name) == (125 * SECOND, 0, "FIELD_MISSING")
    r151 = {"kind": "source", "code": "m", "format": "r151", "event_type": "power", "transform": transform()}
    with pytest.raises(UnableToCompileSource, match="format r151 has no mapping"):
        make_decoder(context(R151Source.model_validate(r151)))


def test_a_correction_names_the_fields_of_the_record() -> None:
    rewriter = make_rewriter(decoder(), {"min": "4"}, io.BytesIO(HEADER))
    assert rewriter.record(ROWS[0].encode()) == ROWS[0].replace(",1,1,eu", ",4,1,eu").encode()
    with pytest.raises(UnableToRewrite, match="no field 'seconds'"):
        make_rewriter(decoder(), {"seconds": "4"}, io.BytesIO(HEADER))


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=6), st.data())
@settings(max_examples=60)
def test_gather_and_twin_copy_the_same_texts(texts: list[bytes], data: st.DataObject) -> None:
    """The twin joins slices."""
    edges = np.cumsum([0, *map(len, texts)]).astype(np.int32)
    rows = np.array(data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=8)), np.int64)
    out_edges = np.cumsum([0, *(len(texts[row]) for row in rows)]).astype(np.int32)
    out = np.empty(out_edges[-1], np.uint8)
    gather(np.frombuffer(b"".join(texts) + b"\0", np.uint8), edges[:-1], edges[1:], rows, out_edges, out)
    assert out.tobytes() == b"".join(texts[row] for row in rows)
