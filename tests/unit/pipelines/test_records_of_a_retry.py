"""A retry decodes a file again and keeps some of its records: they must be the records that they were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from benchmarks.catalogs.write import write_cloud_catalog, write_electricity_catalog, write_telephony_catalog
from benchmarks.generate.cloud import write_cloud
from benchmarks.generate.meters import write_meters
from benchmarks.generate.telephony import write_telephony
from billing.catalog.store import load_catalog
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.decode import Decoder, check_file, decode_blocks, describe, make_decoder
from pipelines.mediation.explain import raw_record
from schemas.cdr import CdrBlock, select_records

Written = tuple[str, Path]


def _telephony(root: Path) -> Written:
    write_telephony_catalog(root / "catalog", subscribers=100)
    write_telephony(root / "in", records=6000, subscribers=100, seed=7, bad=True)
    return "telephony", min((root / "in").iterdir())


def _meters(root: Path) -> Written:
    write_electricity_catalog(root / "catalog", meters=2500)
    return "meters", write_meters(root / "in", meters=2500, seed=7, days=2)[1]


def _events(root: Path) -> Written:
    write_cloud_catalog(root / "catalog", devices=50, projects=10)
    write_cloud(root / "in", records=6000, devices=50, projects=10, seed=7, bad=True)
    return "events", min((root / "in").iterdir())


def _decoded(root: Path, written: Written) -> tuple[Decoder, CdrBlock]:
    source, path = written
    catalog = load_catalog(root / "catalog")
    context = DecodeContext(
        tenant="main",
        source=catalog.sources[source],
        event_types=catalog.event_types,
        event_type_codes={code: index for index, code in enumerate(sorted(catalog.event_types))},
        units=catalog.units,
        attribute_codes={"": 0},
        secret=bytes(16),
    )
    decoder = make_decoder(context)
    with path.open("rb") as stream:
        check_file(decoder, stream)
    with path.open("rb") as stream:
        return decoder, next(decode_blocks(decoder, stream, claim=3))


@pytest.mark.parametrize("write", [_telephony, _meters, _events])
def test_selected_records_keep_their_columns_their_bytes_and_their_words(
    tmp_path: Path, write: Callable[[Path], Written]
) -> None:
    decoder, whole = _decoded(tmp_path, write(tmp_path))
    refused = np.flatnonzero(whole.reason)
    rows = np.unique(np.concatenate([refused, np.arange(1, len(whole), 97)])).astype(np.int64)
    assert 1 < len(refused) < len(rows) < len(whole)
    some = select_records(whole, rows)
    assert len(some) == len(rows)
    for column in fields(CdrBlock):
        if isinstance(getattr(whole, column.name), np.ndarray) and column.name not in ("raw", "text"):
            np.testing.assert_array_equal(getattr(some, column.name), getattr(whole, column.name)[rows], column.name)
    for new, old in enumerate(rows.tolist()):
        assert raw_record(some, new) == raw_record(whole, old)
        if whole.reason[old]:
            assert describe(decoder, some, new) == describe(decoder, whole, old)
