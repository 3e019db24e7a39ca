"""Plug-ins: found by name, pinned to a version, and whatever goes wrong in one refuses the file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mediation_world import CDR_MAPPING, blocks_of, context, decode, delimited, records_of

from pipelines.mediation.decode import Decoder, make_decoder
from pipelines.mediation.failures import UnableToCompileSource, UnableToDecodeFile
from pipelines.mediation.plugins import UnableToUsePlugin, check_plugins
from schemas.source_plugin import PluginSource

MODULE = '''\
import gzip

import pyarrow as pa

NAMES = ["id", "switch", "caller", "at", "seconds", "zone"]


def words(stream, options):
    """Lines of words, some at a time."""
    rows = []
    while chunk := stream.read(100):
        rows.append(chunk)
    lines = [line.split(options.get("between", " ")) for line in b"".join(rows).decode().splitlines()]
    for start in range(0, len(lines), 3):
        columns = zip(*lines[start : start + 3])
        yield pa.RecordBatch.from_pydict(dict(zip(NAMES, map(list, columns))))


def fails(stream, options):
    yield from words(stream, options)
    raise RuntimeError("line 7 is odd")


def spills(stream, options):
    yield from words(stream, options)
    raise MemoryError("no room for line 8")


def full(stream, options):
    raise OSError(28, "No space left on device")


def bare(stream, options):
    import no_such_module


def unzips(stream, options):
    raise gzip.BadGzipFile("Not a gzipped file")


def exits(stream, options):
    raise SystemExit(3)


def wrong(stream, options):
    yield {"id": []}


def changes(stream, options):
    yield pa.RecordBatch.from_pydict({"id": [1]})
    yield pa.RecordBatch.from_pydict({"id": ["1"]})


def damaged(stream, options):
    column = pa.array([b"\\xff"], pa.binary()).view(pa.string())
    yield pa.RecordBatch.from_arrays([column] * len(NAMES), NAMES)


nothing = 7
'''
POINTS = ("words", "fails", "spills", "full", "bare", "unzips", "exits", "wrong", "changes", "damaged", "nothing")
LINES = [f"{number};a;33611;2026-05-01T10:00:0{number}Z;{number};EU" for number in range(8)]


def install(site: Path, version: str = "1.2", distribution: str = "example", module: str = MODULE) -> None:
    """Put an example distribution into a directory, as an installer does."""
    site.mkdir(exist_ok=True)
    (site / f"{distribution}_plugin.py").write_text(module)
    info = site / f"{distribution}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    points = [f"{name} = {distribution}_plugin:{name}" for name in POINTS] + ["broken = no_such_module:decode"]
    (info / "entry_points.txt").write_text("[octroi.decoders]\n" + "\n".join(points) + "\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    directory = tmp_path / "site"
    install(directory)
    monkeypatch.syspath_prepend(str(directory))
    yield directory
    sys.modules.pop("example_plugin", None)


def source(plugin: str = "words", **changes: Any) -> PluginSource:
    given = {"plugin": plugin, "version": "1.2", "options": {"between": ";"}, "mapping": CDR_MAPPING} | changes
    return PluginSource.model_validate({"kind": "source", "code": "cdr", "format": "plugin"} | given)


def decoder(plugin: str = "words", **changes: Any) -> Decoder:
    return make_decoder(context(source(plugin, **changes)))


def refused(plugin: str) -> UnableToDecodeFile:
    with pytest.raises(UnableToDecodeFile) as found:
        decode(decoder(plugin), "\n".join(LINES).encode())
    assert found.value.code == "PLUGIN_FAILED"
    return found.value


def test_what_a_plugin_yields_is_read_as_text_is(site: Path) -> None:
    data = "\n".join(LINES).encode()
    found = decode(decoder(), data)
    csv = decode(delimited(delimiter=";"), b"id;switch;caller;at;seconds;zone\n" + data)
    assert [(record.reason, record.rest) for record in found] == [(record.reason, record.rest) for record in csv]
    assert len(found) == 8


def test_where_blocks_are_cut_is_no_matter_of_batches(site: Path) -> None:
    blocks = blocks_of(decoder(), "\n".join(LINES).encode(), block_bytes=200)
    assert [len(block) for block in blocks] == [6, 2]
    assert [record.access_point for block in blocks for record in records_of(block)] == [b"33611"] * 8


def test_a_plugin_without_rows_has_no_records(site: Path) -> None:
    assert decode(decoder(), b"") == []


@pytest.mark.parametrize(
    ("plugin", "told"),
    [
        ("fails", "plug-in fails 1.2: RuntimeError: line 7 is odd"),
        ("exits", "plug-in exits 1.2: SystemExit: 3"),
        ("unzips", "BadGzipFile: Not a gzipped file"),
        ("wrong", "it yields dict instead of pyarrow.RecordBatch"),
        ("changes", ""),
        ("damaged", "yields damaged columns"),
    ],
)
def test_whatever_goes_wrong_in_a_plugin_refuses_the_file(site: Path, plugin: str, told: str) -> None:
    if plugin == "changes":
        mapping = {"identity": ["id"], "access_point": "id", "time": {"field": "id"}, "quantity": {"field": "id"}}
        changing = decoder(plugin, mapping=mapping | {"event_type": {"constant": "call"}})
        with pytest.raises(UnableToDecodeFile, match="batches of more than one schema"):
            decode(changing, b"")
        return
    assert told in refused(plugin).message


@pytest.mark.parametrize(
    ("plugin", "told"),
    [
        ("spills", "plug-in spills 1.2: MemoryError: no room for line 8: the machine's failure"),
        ("full", "No space left on device: the machine's failure"),
        ("bare", "No module named 'no_such_module': the machine's failure"),
    ],
)
def test_what_is_no_fault_of_the_data_refuses_no_file(site: Path, plugin: str, told: str) -> None:
    with pytest.raises(UnableToUsePlugin, match=told):
        decode(decoder(plugin), "\n".join(LINES).encode())


@pytest.mark.parametrize(
    ("plugin", "version", "told"),
    [
        ("absent", "1.2", "'absent' is not installed"),
        ("words", "1.3", "words 1.3 is needed, and 1.2 is installed"),
        ("broken", "1.2", "broken 1.2 cannot be loaded: ModuleNotFoundError"),
        ("nothing", "1.2", "nothing 1.2 is no function"),
    ],
)
def test_a_plugin_that_is_not_there_is_named(site: Path, plugin: str, version: str, told: str) -> None:
    with pytest.raises(UnableToCompileSource, match=told):
        decoder(plugin, version=version)
    with pytest.raises(UnableToCompileSource, match=r"source 'cdr': plugin: .*"):
        check_plugins({"cdr": source(plugin, version=version)})
    check_plugins({"cdr": source(), "text": delimited()})


def test_a_plugin_that_is_there_twice_is_refused(site: Path) -> None:
    install(site, "2.0", "other")
    with pytest.raises(UnableToCompileSource, match="is installed 2 times"):
        decoder()
