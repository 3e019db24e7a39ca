"""Drafts and closed versions price nothing, unless they are asked to stand for what is published."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from rating_world import Use, World, instant

from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog
from schemas.money import from_scaled
from schemas.rejection import Reason

WORLD = """
{kind: event_type, code: call, unit: event}
---
kind: price_plan
code: p
currency: EUR
versions:
  - {start: 2026-01-01T00:00:00Z, model: flat, per: 1 event, price: "1"}
  - {start: 2026-02-01T00:00:00Z, end: 2026-03-01T00:00:00Z, state: draft, model: flat, per: 1 event, price: "2"}
  - {start: 2026-03-01T00:00:00Z, state: closed, model: flat, per: 1 event, price: "3"}
  - {start: 2025-12-01T00:00:00Z, end: 2026-01-01T00:00:00Z, state: draft, model: flat, per: 1 event, price: "4"}
---
{kind: charge, code: c, event_type: call, price_plan: p}
---
{kind: offer, code: o, charges: [c]}
---
{kind: account, code: a, currency: EUR}
---
{kind: subscription, code: s, account: a, offer: o, access_points: [{id: "1"}]}
"""
DAYS = ("2025-12-31", "2026-01-31", "2026-02-01", "2026-02-28", "2026-03-01")


def prices(directory: Path, text: str, *, drafts: bool) -> list[Decimal | Reason]:
    (directory / "catalog.yaml").write_text(text)
    world = World(load_catalog(directory, drafts=drafts))
    items = world.items(world.rate([Use("s", "call", instant(f"{day}T12:00:00Z"), 1) for day in DAYS]))
    return [item.reason or from_scaled(item.amount, 9).normalize() for item in items]


def test_drafts_stand_for_what_is_published_when_asked(tmp_path: Path) -> None:
    none, (one, two, four) = Reason.NO_PRICE_VERSION, map(Decimal, (1, 2, 4))
    assert prices(tmp_path, WORLD, drafts=False) == [none, one, one, one, one]
    assert prices(tmp_path, WORLD, drafts=True) == [four, one, two, two, one]
    assert load_catalog(tmp_path, drafts=True).content_hash != load_catalog(tmp_path).content_hash
    drafted = WORLD.replace("Z, model", "Z, state: draft, model", 1).replace(
        "2026-01-01T00:00:00Z, state", "2026-03-01T00:00:00Z, state", 1
    )
    assert prices(tmp_path, drafted, drafts=False) == [none] * 5
    assert prices(tmp_path, drafted, drafts=True) == [four, none, two, two, one]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("state: closed", "state: published", "overlaps version 0"),
        ("state: closed", "state: draft, end: 2026-03-02T00:00:00Z", ""),
        ("2026-03-01T00:00:00Z, state: closed", "2026-02-15T00:00:00Z, state: draft", "overlaps version 1"),
        ("state: closed", "state: gone", "gone"),
        ('state: draft, model: flat, per: 1 event, price: "2"', "state: draft, model: flat, per: 1 event", "price"),
    ],
)
def test_what_is_no_version_yet_is_checked_all_the_same(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "catalog.yaml").write_text(WORLD.replace(old, new, 1))
    if not message:
        load_catalog(tmp_path)
        return
    with pytest.raises(UnableToLoadCatalog) as caught:
        load_catalog(tmp_path)
    assert message in str(caught.value)
