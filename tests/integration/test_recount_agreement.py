"""The product's stages, run in memory, against the recount: the same counts, quantities and money for generated feeds."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.catalogs.write import write_cloud_catalog, write_electricity_catalog, write_telephony_catalog
from benchmarks.generate.cloud import write_cloud
from benchmarks.generate.meters import write_meters
from benchmarks.generate.telephony import write_telephony
from benchmarks.recount import Recount, recount_cloud, recount_meters, recount_telephony
from billing.catalog.store import load_catalog
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.decode import check_file, decode_blocks, make_decoder
from pipelines.resource.stage import ResourceState, process
from rating.rate import rate
from rating.state import AccountState
from rating.tariff_image import TariffImage, compile_image
from rating.vocabulary import Vocabulary
from schemas.catalog import Catalog
from schemas.edr import EdrBlock
from schemas.rated_item import RatedBlock
from schemas.rejection import OUTCOMES, Outcome, Reason

STAGE_TIME = 1_793_500_000_000_000  # 2026-11-01, microseconds


class _Totals:
    """Adds up what the stages say, in the recount's terms."""

    def __init__(self, catalog: Catalog, image: TariffImage) -> None:
        self._charge = {version.id: version.charge for version in image.charge_versions}
        self._currency = {
            code: catalog.price_plans[charge.price_plan].currency for code, charge in catalog.charges.items()
        }
        self.reasons: Counter[Reason] = Counter()
        self.unrated: Counter[str] = Counter()
        self.rated: Counter[str] = Counter()
        self.quantity: Counter[str] = Counter()
        self.rated_quantity: Counter[str] = Counter()
        self.amount: Counter[str] = Counter()

    def add(self, reason: np.ndarray, edrs: EdrBlock, rated: RatedBlock) -> None:
        self.reasons.update({Reason(code): n for code, n in enumerate(np.bincount(reason).tolist()) if n})
        self.unrated.update(Reason(code).name for code in rated.reason.tolist() if code)
        for version in np.unique(rated.charge_version[rated.reason == 0]).tolist():
            rows = (rated.charge_version == version) & (rated.reason == 0)
            charge = self._charge[version]
            self.rated[charge] += int(rows.sum())
            self.quantity[charge] += sum(edrs.quantity[rows].tolist())
            self.rated_quantity[charge] += sum(rated.rated_quantity[rows].tolist())
            self.amount[charge] += sum(rated.amount[rows].tolist())

    def _by_outcome(self, outcome: Outcome) -> dict[str, int]:
        return {reason.name: n for reason, n in sorted(self.reasons.items()) if OUTCOMES[reason] is outcome}

    def recount(self) -> Recount:
        currencies: Counter[str] = Counter()
        for charge, amount in self.amount.items():
            currencies[self._currency[charge]] += amount
        return Recount(
            records=sum(self.reasons.values()),
            accepted=sum(self._by_outcome(Outcome.ACCEPTED).values()),
            duplicates=sum(self._by_outcome(Outcome.DUPLICATE).values()),
            filtered=sum(self._by_outcome(Outcome.FILTERED).values()),
            absorbed=sum(self._by_outcome(Outcome.ABSORBED).values()),
            rejected_by_reason=self._by_outcome(Outcome.REJECTED),
            parked_by_reason=self._by_outcome(Outcome.PARKED),
            rated=sum(self.rated.values()),
            unrated_by_reason=dict(self.unrated),
            rated_by_charge=dict(self.rated),
            quantity_by_charge=dict(self.quantity),
            rated_quantity_by_charge=dict(self.rated_quantity),
            amount_by_charge=dict(self.amount),
            amount_by_currency=dict(currencies),
        )


def _run(directory: Path, source: str, files: Sequence[Path], block_bytes: int) -> Recount:
    catalog = load_catalog(directory)
    vocabulary = Vocabulary()
    image = compile_image(catalog, vocabulary)
    accounts, resources = AccountState(), ResourceState()
    accounts.grow(vocabulary)
    opening = image.opening_credits(0)
    accounts.credit(opening.wallet, opening.amount)
    decoder = make_decoder(
        DecodeContext(
            tenant="demo",
            source=catalog.sources[source],
            event_types=catalog.event_types,
            event_type_codes={code: vocabulary.event_types.id(code) for code in catalog.event_types},
            units=catalog.units,
            attribute_codes={name: code for code, name in enumerate(vocabulary.attribute_values.names)},
            secret=bytes(range(16)),
        )
    )
    totals = _Totals(catalog, image)
    for claim, path in enumerate(files):
        data = path.read_bytes()
        check_file(decoder, io.BytesIO(data))
        for block in decode_blocks(decoder, io.BytesIO(data), claim=claim, block_bytes=block_bytes):
            result = process(block, image.access, resources, stage_time=STAGE_TIME, conflict_is_duplicate=False)
            totals.add(result.reason, result.edrs, rate(result.edrs, image, accounts))
    return totals.recount()


@pytest.mark.parametrize("block_bytes", [64 << 10, 8 << 20])
def test_telephony(tmp_path: Path, block_bytes: int) -> None:
    catalog = tmp_path / "catalog"
    write_telephony_catalog(catalog, subscribers=400)
    files = write_telephony(tmp_path / "usage", records=60_000, subscribers=400, seed=11, bad=True)
    assert _run(catalog, "telephony", files, block_bytes) == recount_telephony(files, catalog)


@pytest.mark.parametrize("pretty", [False, True])
def test_electricity(tmp_path: Path, *, pretty: bool) -> None:
    catalog = tmp_path / "catalog"
    write_electricity_catalog(catalog, meters=400)
    files = write_meters(tmp_path / "usage", meters=400, seed=11, pretty=pretty)
    assert _run(catalog, "meters", files, 1 << 20) == recount_meters(files, catalog)


def test_cloud(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog"
    write_cloud_catalog(catalog, devices=200, projects=20)
    files = write_cloud(tmp_path / "usage", records=40_000, devices=200, projects=20, seed=11, bad=True)
    assert _run(catalog, "events", files, 1 << 20) == recount_cloud(files, catalog)
