"""A script with pandas: whole columns, a merge, a running sum for each tier, a loop only where a balance can end."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.baselines.python_rater import Totals, read_usage

COLUMNS = {"record_id": "string", "record_type": "category", "direction": "category", "msisdn": "int64", "zone": "category",
           "start_time": "string", "quantity": "int64"}  # fmt: skip
PLANS = pd.DataFrame(
    [("voice-essential", 60, 1, 60), ("voice-plus", 30, 1, 60), ("voice-prepaid", 60, 30, 60), ("voice-world", 60, 60, 60),
     ("data-essential", 1, 1, 10**9), ("data-plus", 1000, 1000, 10**9), ("data-prepaid", 10_000, 10_000, 10**6),
     ("sms-essential", 1, 1, 1), ("sms-plus", 1, 1, 1), ("sms-world", 1, 1, 1)],
    columns=["charge", "first", "step", "per"],
)  # fmt: skip
TIERS: dict[str, list[tuple[int, int | None, Any]]] = {
    "voice-essential": [(0, 3600, 0), (3600, 18_000, (145_000, 98_000, 49_000)), (18_000, None, (95_000, 65_000, 35_000))],
    "data-essential": [(0, 5 * 10**8, 0), (5 * 10**8, 5 * 10**9, 1_990_000), (5 * 10**9, 5 * 10**10, 790_000),
                       (5 * 10**10, None, 290_000)],
    "data-plus": [(0, 2 * 10**10, 150_000), (2 * 10**10, None, 490_000)],
}  # fmt: skip
FLAT = {"voice-prepaid": 190_000, "voice-world": 390_000, "data-prepaid": 4_900, "sms-essential": 70_000,
        "sms-plus": 15_000, "sms-world": 280_000}  # fmt: skip
FEES = {"voice-essential": 20_000, "voice-world": 150_000}


def run(usage: Path, customers: Path) -> Totals:
    """Rate all files."""
    frames = [pd.read_csv(path, usecols=list(COLUMNS), dtype=COLUMNS) for path in read_usage(usage)]
    calls = pd.concat(frames, ignore_index=True)
    calls = calls[calls["direction"] == "out"].drop_duplicates("record_id")
    who = pd.read_csv(customers, dtype={"postpaid": "string", "prepaid_balance": "string"})
    calls = calls.merge(who, left_on="msisdn", right_on="access_point", how="inner")
    calls["charge"] = _charges(calls)
    calls = calls.merge(PLANS, on="charge", how="left")
    above = (calls["quantity"] - calls["first"]).clip(lower=0)
    calls["rated"] = (calls["first"] - (-above // calls["step"]) * calls["step"]).where(calls["quantity"] > 0, 0)
    local = pd.to_datetime(calls["start_time"], format="%Y-%m-%dT%H:%M:%SZ", utc=True).dt.tz_convert("Europe/Paris")
    calls["month"], calls["changed"] = local.dt.month, local >= pd.Timestamp("2026-10-16", tz="Europe/Paris")
    calls["band"] = _bands(local)
    running = calls.groupby(["msisdn", "charge", "month"], sort=False)["rated"].cumsum()
    calls["before"] = running - calls["rated"]
    cost = _costs(calls)
    fee = np.where(calls["rated"] > 0, calls["charge"].map(FEES).fillna(0).astype("int64"), 0)
    calls["amount"] = (2 * cost + calls["per"]) // (2 * calls["per"]) + fee
    calls = calls[_paid(calls)]
    found = calls.groupby("charge")["amount"].agg(["count", "sum"])
    return {str(charge): (int(items), int(amount)) for charge, items, amount in found.itertuples()}


def _charges(calls: pd.DataFrame) -> pd.Series:
    kind, offer = calls["record_type"].astype(str), calls["offer"].str.removeprefix("mobile-")
    sold = kind + "-" + offer.where(~((kind == "sms") & (offer == "prepaid")), "essential")
    return sold.where((calls["zone"] != "world") | (kind == "data"), kind + "-world")


def _bands(local: pd.Series) -> Any:
    minute = local.dt.hour * 60 + local.dt.minute
    peak = (local.dt.weekday < 5) & (minute >= 480) & (minute < 1170)
    return np.where(peak, 0, np.where((minute >= 1320) | (minute < 390), 2, 1))


def _costs(calls: pd.DataFrame) -> Any:
    cost = (calls["rated"] * calls["charge"].map(FLAT).fillna(0).astype("int64")).to_numpy(copy=True)
    plus = (calls["charge"] == "voice-plus").to_numpy()
    prices = np.array([[55_000, 41_000, 19_000], [57_000, 39_000, 17_000]])
    mine = calls[plus]
    cost[plus] = mine["rated"] * prices[mine["changed"].astype(int), mine["band"]]
    for charge, tiers in TIERS.items():
        chosen = (calls["charge"] == charge).to_numpy()
        before, band = calls["before"].to_numpy()[chosen], calls["band"].to_numpy()[chosen]
        after, total = before + calls["rated"].to_numpy()[chosen], np.zeros(chosen.sum(), np.int64)
        for lower, upper, price in tiers:
            part = np.clip(after, lower, upper) - np.clip(before, lower, upper)
            total += part * np.broadcast_to(price, 3)[band]
        cost[chosen] = total
    return cost


def _paid(calls: pd.DataFrame) -> Any:
    """Return which records the balances that can end have paid."""
    paid = np.ones(len(calls), bool)
    limited = np.flatnonzero((calls["postpaid"] == "false").to_numpy())
    opening = calls.iloc[limited].drop_duplicates("msisdn").set_index("msisdn")["prepaid_balance"]
    balance = {number: int(Decimal(text) * 10**6) for number, text in opening.items()}
    some = zip(limited, calls["msisdn"].to_numpy()[limited], calls["amount"].to_numpy()[limited], strict=True)
    for row, number, amount in some:
        if amount > balance[number]:
            paid[row] = False
        else:
            balance[number] -= amount
    return paid
