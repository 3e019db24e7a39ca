"""The product's stages, run in memory, against the recount: the same counts, quantities and money for generated feeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.catalogs.write import write_cloud_catalog, write_electricity_catalog, write_telephony_catalog
from benchmarks.generate.cloud import write_cloud
from benchmarks.generate.meters import write_meters
from benchmarks.generate.telephony import write_telephony
from benchmarks.recount import recount_cloud, recount_meters, recount_telephony
from tests.integration.stages_in_memory import run_stages


@pytest.mark.parametrize("block_bytes", [64 << 10, 8 << 20])
def test_telephony(tmp_path: Path, block_bytes: int) -> None:
    catalog = tmp_path / "catalog"
    write_telephony_catalog(catalog, subscribers=400)
    files = write_telephony(tmp_path / "usage", records=60_000, subscribers=400, seed=11, bad=True)
    assert run_stages(catalog, "telephony", files, block_bytes) == recount_telephony(files, catalog)


@pytest.mark.parametrize("pretty", [False, True])
def test_electricity(tmp_path: Path, *, pretty: bool) -> None:
    catalog = tmp_path / "catalog"
    write_electricity_catalog(catalog, meters=400)
    files = write_meters(tmp_path / "usage", meters=400, seed=11, pretty=pretty)
    assert run_stages(catalog, "meters", files, 1 << 20) == recount_meters(files, catalog)


def test_cloud(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog"
    write_cloud_catalog(catalog, devices=200, projects=20)
    files = write_cloud(tmp_path / "usage", records=40_000, devices=200, projects=20, seed=11, bad=True)
    assert run_stages(catalog, "events", files, 1 << 20) == recount_cloud(files, catalog)
