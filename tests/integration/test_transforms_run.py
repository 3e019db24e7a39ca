"""A transform from its installation to rated items: what it refuses, what it fails on, and a version that is not there."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from cli_calls import ANA, CATALOG, NOON, write_catalog
from cli_octroi import balanced, octroi, query

MODULE = """\
import pyarrow as pa
import pyarrow.compute as pc


def length(columns, options):
    if pc.any(pc.equal(columns["minutes"], "boom")).as_py():
        raise ValueError("no minutes")
    seconds = pc.add(pc.multiply(columns["minutes"].cast("int64"), 60), columns["rest"].cast("int64"))
    refused = pc.if_else(pc.equal(columns["minutes"], "0"), "shorter than a minute", None)
    return pa.record_batch([seconds, refused], names=["seconds", "refused"])
"""
TRANSFORM = "format: delimited\ntransform: {name: length, version: '1.2', reads: [minutes, rest], writes: [seconds]}"
HEADER = "id,caller,at,minutes,rest\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    info = tmp_path / "site" / "lengths-1.2.dist-info"
    info.mkdir(parents=True)
    (info.parent / "lengths_plugin.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lengths\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[octroi.transforms]\nlength = lengths_plugin:length\n")
    monkeypatch.syspath_prepend(str(info.parent))
    monkeypatch.delitem(sys.modules, "lengths_plugin", raising=False)
    return info


def test_a_transform_is_between_the_file_and_the_mapping(site: Path, tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", CATALOG.replace("format: delimited", TRANSFORM))
    spool = data / "spool" / "calls"
    spool.mkdir(parents=True)
    (spool / "good.csv").write_text(f"{HEADER}1,{ANA},{NOON},1,5\n2,{ANA},{NOON},0,7\n3,{ANA},{NOON},1,5,more\n")
    (spool / "odd.csv").write_text(f"{HEADER}4,{ANA},{NOON},boom,5\n")
    told = octroi("run", data, "--json")
    good, odd = told.json["files"]
    assert (told.code, good["received"], good["rated"], good["rejected"]) == (5, 3, 1, 2)
    assert odd["quarantined"] == {"code": "PLUGIN_FAILED", "message": "transform length 1.2: ValueError: no minutes"}
    balanced(data)
    rows = query(data, "SELECT reason, detail, raw FROM rejection ORDER BY record")
    assert rows[0] == {
        "reason": "REFUSED_BY_PLUGIN", "detail": "shorter than a minute", "raw": f"2,{ANA},{NOON},0,7",
    }  # fmt: skip
    (item,) = query(data, "SELECT amount FROM rated_item")
    assert str(item["amount"]) == "0.650000000"
    # what is corrected are the record's own fields
    result = octroi("rejects", "correct", "2-1", "--set", "minutes=2", "--data", data, "--json").ok().json
    assert (result["corrected"], result["rated"]) == (1, 1)
    tried = octroi("sources", "test", tmp_path / "data" / "archive" / "0000000002~calls~good.csv", "--source", "calls",
                   "--data", data).ok().out  # fmt: skip
    assert "shorter than a minute" in tried
    # a log that needs it is not continued without it
    shutil.rmtree(site)
    told = octroi("run", data)
    assert (told.code, "source 'calls': transform: 'length' is not installed" in told.err) == (3, True)
