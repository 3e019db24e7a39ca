"""The feeds of `octroi bench mediation`: how each is generated, which source reads it, and how it is recounted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.catalogs.write import write_cloud_catalog, write_roaming_catalog, write_telephony_catalog
from benchmarks.generate.cloud import write_cloud
from benchmarks.generate.fixed import places, write_fixed
from benchmarks.generate.network import write_network
from benchmarks.generate.roaming import write_roaming
from benchmarks.generate.telephony import write_telephony
from benchmarks.recount.ber import decode_pgw
from benchmarks.recount.delimited import decode_delimited
from benchmarks.recount.events import decode_events
from benchmarks.recount.fixed_width import decode_fixed_width
from benchmarks.recount.roaming import decode_tap
from benchmarks.recount.rules import Rules
from benchmarks.recount.stages import Decoded

SUBSCRIBERS = 100_000
SMALL = 1_000
"""Subscribers of a trial."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One format.

    Attributes:
        name: after `mediation.`. source: the code of the source definition in the catalog.
        records: how many unless asked otherwise. target: records per second that are aimed at, on two cores.
        write: (directory, records, subscribers, seed) -> files in the order in which they are to be read.
        write_catalog: (directory, subscribers) writes the catalog with the source definition.
        decode: an independent reading of the files.
        is_hidden: it is no suite of its own.
    """

    name: str
    source: str
    records: int
    target: int
    write: Callable[[Path, int, int, int], Sequence[Path]]
    write_catalog: Callable[[Path, int], None]
    decode: Callable[[Sequence[Path], Rules, str], Decoded]
    is_hidden: bool = False


def _write_csv(directory: Path, records: int, subscribers: int, seed: int) -> Sequence[Path]:
    return write_telephony(directory, records=records, subscribers=subscribers, seed=seed, bad=True)


def _write_one_csv(directory: Path, records: int, subscribers: int, seed: int) -> Sequence[Path]:
    return write_telephony(directory, records=records, subscribers=subscribers, seed=seed, files=1)


def _write_fixed(directory: Path, records: int, subscribers: int, seed: int) -> Sequence[Path]:
    lines = write_telephony(directory / "csv", records=records, subscribers=subscribers, seed=seed)
    return write_fixed(directory, lines)


def _write_events(directory: Path, records: int, subscribers: int, seed: int) -> Sequence[Path]:
    return write_cloud(directory, records=records, devices=subscribers, projects=100, seed=seed, bad=True)


def _write_network(directory: Path, records: int, subscribers: int, seed: int) -> Sequence[Path]:
    """Write sessions of two services each, which are a record of the feed each."""
    return write_network(directory, records=records // 2, subscribers=subscribers, seed=seed)


def _decode_network(files: Sequence[Path], rules: Rules, source: str) -> Decoded:
    return decode_pgw(files, rules, source=source)


def _decode_csv(files: Sequence[Path], rules: Rules, source: str) -> Decoded:
    return decode_delimited(files, rules, source=source)


def _decode_fixed(files: Sequence[Path], rules: Rules, source: str) -> Decoded:
    return decode_fixed_width(files, rules, source=source)


def _decode_events(files: Sequence[Path], rules: Rules, source: str) -> Decoded:
    return decode_events(files, rules, source=source)


def _write_tap(directory: Path, records: int, subscribers: int, seed: int) -> Sequence[Path]:
    return write_roaming(directory, records=records, subscribers=subscribers, seed=seed)


def _decode_tap(files: Sequence[Path], rules: Rules, source: str) -> Decoded:
    return decode_tap(files, rules, source=source)


def _roaming_catalog(directory: Path, subscribers: int) -> None:
    write_roaming_catalog(directory, subscribers=subscribers)


def _telephony_catalog(directory: Path, subscribers: int) -> None:
    write_telephony_catalog(directory, subscribers=subscribers)
    path = directory / "telephony.yaml"
    documents = list(yaml.safe_load_all(path.read_text()))
    [source] = [found for found in documents if found.get("code") == "telephony" and found["kind"] == "source"]
    del source["header"]
    fixed = source | {"code": "telephony-fixed", "format": "fixed_width", "columns": places()}
    path.write_text("---\n".join([path.read_text(), yaml.safe_dump(fixed, sort_keys=False), PGW]))


def _cloud_catalog(directory: Path, subscribers: int) -> None:
    write_cloud_catalog(directory, devices=subscribers, projects=100)


PGW = """\
kind: source
code: pgw
format: ts32298
records: [pGWRecord]
each: [listOfServiceData]
mapping:
  identity: [nodeID, localSequenceNumber, listOfServiceData.ratingGroup]
  access_point: servedMSISDN
  time: {field: listOfServiceData.timeOfFirstUsage}
  quantity: {fields: [listOfServiceData.datavolumeFBCUplink, listOfServiceData.datavolumeFBCDownlink], unit: B}
  event_type: {constant: data}
"""

MILLION = 1_000_000
FEEDS = {
    feed.name: feed
    for feed in (
        Feed("csv", "telephony", 3 * MILLION, 3 * MILLION, _write_csv, _telephony_catalog, _decode_csv),
        Feed(
            "fixed_width", "telephony-fixed", 3 * MILLION, 3 * MILLION, _write_fixed, _telephony_catalog, _decode_fixed
        ),
        Feed("ndjson", "events", MILLION, 800_000, _write_events, _cloud_catalog, _decode_events),
        Feed("tap", "roaming", MILLION, 300_000, _write_tap, _roaming_catalog, _decode_tap),
        Feed("ts32298", "pgw", MILLION, 500_000, _write_network, _telephony_catalog, _decode_network),
        Feed("csv_clean", "telephony", MILLION, 0, _write_one_csv, _telephony_catalog, _decode_csv, is_hidden=True),
    )
}
"""By name; a new format takes its place here."""
