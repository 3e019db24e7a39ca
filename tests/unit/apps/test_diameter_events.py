"""What an event is answered, where it takes no engine to see."""

from __future__ import annotations

from types import SimpleNamespace as Some
from typing import Any

import polars as pl
import pytest

from apps.diameter import events
from apps.embedded.charging_requests import ChargingRequest
from schemas.catalog import ACCESS_POINT_FRAME
from schemas.charging import ChargingKind


@pytest.mark.parametrize(("at", "currency"), [(5, "EUR"), (15, "USD"), (0, "USD")])
def test_a_price_is_in_the_currency_of_who_has_the_number_then(
    at: int, currency: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "price_enquiry", lambda engine, charge: {"priced": True, "amount": "1"})
    points = pl.DataFrame([("336", "first", 0, 10), ("336", "then", 10, 99)], schema=ACCESS_POINT_FRAME, orient="row")
    names = {"subscription": ["then", "first"], "account": ["bob", "ana"]}
    accounts = {"account": ["ana", "bob"], "currency": ["EUR", "USD"]}
    catalog = Some(access_points=points, subscriptions=pl.DataFrame(names), accounts=pl.DataFrame(accounts))
    engine: Any = Some(
        active=Some(catalog=catalog),
        journal=Some(stage_time=lambda now: now),
        now=lambda: 20,
        state=Some(charging=Some(at=0)),
    )
    asked = ChargingRequest(ChargingKind.CHARGE, "name", access_point="336", at=at)
    assert events._priced(engine, asked)["currency"] == currency
