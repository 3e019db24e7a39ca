"""A catalog written as YAML, compiled, with its state and its twin: what tests of rating rate usage in."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from billing.catalog.store import load_catalog
from pipelines.account.stage import with_reserved
from rating.rate import rate
from rating.reference_block import Movement, ReferenceItem, ReferenceRater, ReferenceState
from rating.state import AccountState
from rating.tariff_image import TariffImage, compile_image
from rating.vocabulary import Vocabulary
from schemas.catalog import Catalog
from schemas.cdr import ATTRIBUTE_SLOTS, BlockPosition
from schemas.edr import EdrBlock
from schemas.price_plan import utc_microseconds
from schemas.rated_item import WALLET_NONE, WALLET_SPLIT, RatedBlock
from schemas.rejection import Reason
from schemas.values import VALUE_ABSENT, VALUE_SLOTS


def instant(text: str) -> int:
    """Return an ISO 8601 instant with zone in microseconds UTC."""
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None, text
    return utc_microseconds(moment)


def catalog_from(*documents: str) -> Catalog:
    """Return the catalog of some YAML documents."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "catalog.yaml").write_text("\n---\n".join(documents), encoding="utf-8")
        return load_catalog(Path(folder))


@dataclass(frozen=True)
class Use:
    """One usage by names: quantity in base steps, `at` in microseconds UTC, values as EDRs have them."""

    subscription: str
    event_type: str
    at: int
    quantity: int
    attributes: dict[str, str] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)


class World:
    """A catalog in force, over a state that may have seen other catalogs."""

    def __init__(self, catalog: Catalog, before: World | None = None) -> None:
        self.catalog = catalog
        self.vocabulary = before.vocabulary if before is not None else Vocabulary()
        self.state = before.state if before is not None else AccountState()
        self.twin_state = before.twin_state if before is not None else ReferenceState()
        self.image: TariffImage = compile_image(catalog, self.vocabulary)
        opening = self.image.opening_credits(self.state.wallet_count)
        self.state.grow(self.vocabulary)
        self.state.credit(opening.wallet, opening.amount)
        self.state.allow(*self.image.overdrafts())
        self.twin = ReferenceRater(catalog, self.vocabulary, self.twin_state)

    def block(self, uses: Sequence[Use]) -> EdrBlock:
        """Return usage as the columns that rating takes."""
        attributes = np.zeros((len(uses), ATTRIBUTE_SLOTS), np.int32)
        for row, use in enumerate(uses):
            for name, value in use.attributes.items():
                slot = self.catalog.event_types[use.event_type].attributes.index(name)
                attributes[row, slot] = max(0, self.vocabulary.attribute_values.id(value))
        values = np.full((len(uses), VALUE_SLOTS), VALUE_ABSENT, np.int64) if any(use.values for use in uses) else None
        for row, use in enumerate(uses):
            for name, number in use.values.items():
                assert values is not None
                values[row, list(self.catalog.event_types[use.event_type].values).index(name)] = number
        return EdrBlock(
            position=BlockPosition(1, 0, 0),
            record=np.arange(len(uses), dtype=np.int64),
            branch=np.zeros(len(uses), np.uint8),
            event_at=np.array([use.at for use in uses], np.int64),
            span_s=np.zeros(len(uses), np.int64),
            quantity=np.array([use.quantity for use in uses], np.int64),
            event_type=np.array([self.vocabulary.event_types.id(use.event_type) for use in uses], np.uint16),
            attributes=attributes,
            access_point=np.zeros(len(uses), np.int32),
            subscription=np.array([self.vocabulary.subscriptions.id(use.subscription) for use in uses], np.int32),
            values=values,
        )

    def rate(self, uses: Sequence[Use]) -> RatedBlock:
        """Rate usage with the kernels."""
        self.rated = self.block(uses)
        return with_reserved(rate(self.rated, self.image, self.state), self.state)

    def rate_twin(self, uses: Sequence[Use]) -> list[ReferenceItem]:
        """Rate usage with the twin."""
        return self.twin.rate(self.block(uses))

    def balance(self, wallet: str) -> int:
        """Return the balance of "account/wallet" in billionths."""
        number = self.vocabulary.wallets.id(wallet)
        return self.state.open_balances(np.array([number]))[number]

    def items(self, rated: RatedBlock) -> list[ReferenceItem]:
        """Return what the kernels answered to the latest usage, in the twin's words."""
        quantities = self.rated.quantity if rated.items is None else rated.items.quantity
        numbers = np.zeros(len(quantities), np.uint8) if rated.items is None else rated.items.number
        columns = zip(quantities.tolist(), numbers.tolist(), strict=True)
        found = [_item(self.vocabulary, rated, row, *told) for row, told in enumerate(columns)]
        return [replace(item, triggered=self._triggered(rated, row)) for row, item in enumerate(found)]

    def _triggered(self, rated: RatedBlock, row: int) -> tuple[str, str, int] | None:
        triggered = None if rated.items is None else rated.items.triggered
        if triggered is None or triggered.by[row] == 0:
            return None
        usage, names = triggered.usage, self.vocabulary
        event_type = names.event_types.name(int(usage.event_type[row]))
        subscription = names.subscriptions.name(int(usage.subscription[row]))
        return event_type, subscription, int(triggered.by[row]) - 1


def expect_same_bytes(found: Any, wanted: Any) -> None:
    """Expect two answers, or what is in them, to be alike to the last byte; a column that one lacks, the other lacks, too."""
    assert type(found) is type(wanted)
    for item in fields(wanted):
        left, right = (getattr(each, item.name) for each in (found, wanted))
        if is_dataclass(right):
            expect_same_bytes(left, right)
        elif isinstance(right, np.ndarray):
            assert left.tobytes() == right.tobytes(), item.name
        else:
            assert left == right, item.name


def _item(vocabulary: Vocabulary, rated: RatedBlock, row: int, quantity: int, number: int) -> ReferenceItem:
    wallet = int(rated.wallet[row])
    if wallet == WALLET_NONE:
        parts = []
    elif wallet == WALLET_SPLIT:
        parts = [
            (
                rated.split_wallet[part],
                rated.split_amount[part],
                _wide(rated.split_balance_hi, rated.split_balance_lo, part),
            )
            for part in np.flatnonzero(rated.split_row == row)
        ]
    else:
        parts = [(wallet, rated.amount[row], _wide(rated.balance_hi, rated.balance_lo, row))]
    version = int(rated.charge_version[row])
    return ReferenceItem(
        reason=Reason(int(rated.reason[row])),
        charge_version=vocabulary.charge_versions.name(version) if version >= 0 else None,
        rated_quantity=int(rated.rated_quantity[row]),
        counter_before=int(rated.counter_before[row]),
        tier=int(rated.tier[row]),
        band=int(rated.band[row]),
        amount=int(rated.amount[row]),
        movements=tuple(Movement(vocabulary.wallets.name(int(name)), int(part), left) for name, part, left in parts),
        quantity=quantity,
        number=number,
    )


def _wide(hi: np.ndarray, lo: np.ndarray, row: int) -> int:
    return (int(hi[row]) << 64) | int(lo[row])
