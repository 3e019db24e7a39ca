"""Decode, resource and account stage over files, with no store and no engine: totals in the recount's terms."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.recount import Recount
from billing.catalog.store import load_catalog
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.decode import check_file, decode_blocks, make_decoder
from pipelines.resource.stage import ResourceState, process
from rating.rate import rate
from rating.state import AccountState
from rating.tariff_image import TariffImage, compile_image
from rating.vocabulary import Vocabulary
from schemas.arrays import UInt16Array
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

    def add(self, reason: UInt16Array, edrs: EdrBlock, rated: RatedBlock) -> None:
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


def run_stages(directory: Path, source: str, files: Sequence[Path], block_bytes: int = 1 << 20) -> Recount:
    """Return what `source` of the catalog in `directory` makes of `files`, in order."""
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
    readings = image.opening_readings
    if len(readings.series_hi):
        resources.registers.open(readings.series_hi, readings.series_lo, readings.at, readings.index)
    totals = _Totals(catalog, image)
    for claim, path in enumerate(files):
        data = path.read_bytes()
        check_file(decoder, io.BytesIO(data))
        for block in decode_blocks(decoder, io.BytesIO(data), claim=claim, block_bytes=block_bytes):
            result = process(block, image.access, resources, stage_time=STAGE_TIME, conflict_is_duplicate=False)
            totals.add(result.reason, result.edrs, rate(result.edrs, image, accounts))
    return totals.recount()
