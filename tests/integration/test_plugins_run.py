"""A plug-in from its installation to rated items; a log that needs one is not continued without it."""

from __future__ import annotations

import shutil
from pathlib import Path

from cli_calls import CATALOG, STRANGER, call, write_catalog
from cli_octroi import balanced, octroi_process

MODULE = """\
import pyarrow as pa


def decode(stream, options):
    rows = [line.decode().strip().split(options["between"]) for line in iter(stream.readline, b"")]
    if any(len(row) != 4 for row in rows):
        raise ValueError("a row has not four fields")
    yield pa.RecordBatch.from_pydict(dict(zip(["id", "caller", "at", "seconds"], map(list, zip(*rows)))))
"""
SOURCE = "format: plugin\nplugin: pipes\nversion: '{version}'\noptions: {{between: '|'}}"


def install(site: Path, version: str) -> None:
    """Put an example distribution into a directory, as an installer does."""
    shutil.rmtree(site, ignore_errors=True)
    info = site / f"pipes-{version}.dist-info"
    info.mkdir(parents=True)
    (site / "pipes_plugin.py").write_text(MODULE)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: pipes\nVersion: {version}\n")
    (info / "entry_points.txt").write_text("[octroi.decoders]\npipes = pipes_plugin:decode\n")


def write(data: Path, version: str) -> None:
    write_catalog(data, CATALOG.replace("format: delimited", SOURCE.format(version=version)))


def test_a_plugin_decodes_and_its_version_is_part_of_the_catalog(tmp_path: Path) -> None:
    data, site = tmp_path / "data", tmp_path / "site"
    write(data, "1.0")
    root = Path(__file__).resolve().parents[2]
    path = {"PYTHONPATH": f"{root}:{site}"}
    told = octroi_process("run", data, **path)
    assert (told.code, "source 'calls': plugin: 'pipes' is not installed" in told.err) == (3, True)
    install(site, "1.0")
    spool = data / "spool" / "calls"
    spool.mkdir(parents=True)
    lines = [call("a"), call("b", caller=STRANGER), call("c", "x")]
    (spool / "good").write_text("\n".join(lines).replace(",", "|"))
    (spool / "odd").write_text("1|2")
    told = octroi_process("run", data, "--json", **path)
    good, odd = told.json["files"]
    assert (told.code, good["received"], good["rated"], good["rejected"]) == (5, 3, 1, 2)
    assert odd["quarantined"] == {
        "code": "PLUGIN_FAILED",
        "message": "plug-in pipes 1.0: ValueError: a row has not four fields",
    }
    balanced(data)
    install(site, "1.1")
    told = octroi_process("run", data, **path)
    assert (told.code, "pipes 1.0 is needed, and 1.1 is installed" in told.err) == (3, True)
    shutil.copytree(data, tmp_path / "replaying", ignore=shutil.ignore_patterns("state", "store", "owner.*"))
    told = octroi_process("run", tmp_path / "replaying", **path)  # everything is to be decoded again
    assert told.code == 4
    assert "pipes 1.0 is needed, and 1.1 is installed" in told.err
    write(data, "1.1")
    (spool / "later").write_text(call("d").replace(",", "|"))
    assert octroi_process("run", data, "--json", **path).ok().json["totals"]["rated"] == 1
    balanced(data)
