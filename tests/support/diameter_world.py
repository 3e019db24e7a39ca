"""A data directory whose catalog sells data to network elements, and a Diameter server on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from diameter_peer import CREDIT

from apps.embedded.access import open_owned
from apps.embedded.activation import take_catalog
from apps.embedded.charging_looks import check_balance
from apps.embedded.engine import Engine
from apps.embedded.layout import DataDirectory
from apps.embedded.lock import OwnerLock
from apps.settings import Settings
from pipelines.mediation.diameter.fields import Group

MSISDN = 33600000000
CATALOG = """
{kind: event_type, code: data, unit: B, attributes: [zone]}
---
{kind: event_type, code: call, unit: s}
---
{kind: event_type, code: text, unit: event}
---
{kind: price_plan, code: data, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 kB, price: "1"}]}
---
{kind: price_plan, code: call, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 s, price: "0.01"}]}
---
{kind: price_plan, code: text, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 event, price: "0.5"}]}
---
{kind: charge, code: data, event_type: data, price_plan: data}
---
{kind: charge, code: call, event_type: call, price_plan: call}
---
{kind: charge, code: text, event_type: text, price_plan: text}
---
{kind: offer, code: mobile, charges: [data, call, text]}
---
{kind: charging_service, code: internet, service_context: 32251@3gpp.org, event_type: data, measured_in: total_octets,
  quota: 2 kB, increment: 100 B, validity_s: 600, threshold: 500 B, holding_s: 60,
  attributes: {zone: Service-Information.PS-Information.3GPP-SGSN-MCC-MNC}}
---
{kind: charging_service, code: video, service_context: 32251@3gpp.org, rating_group: 9, event_type: data,
  measured_in: input_octets, quota: 1 kB, final_unit: redirect, redirect_to: "http://top-up.example"}
---
{kind: charging_service, code: voice, service_context: 32260@3gpp.org, event_type: call, measured_in: time, quota: 60 s,
  final_unit: restrict, restrict_to: [permit out ip from any to 10.0.0.1]}
---
{kind: source, code: rf, format: diameter, messages: [ACR], each: Service-Information.PS-Information.Service-Data-Container,
  on_same_key: duplicate, mapping: {
    identity: [Session-Id, Accounting-Record-Number,
      Service-Information.PS-Information.Service-Data-Container.Local-Sequence-Number],
    access_point: Service-Information.Subscription-Id.E164,
    time: {field: Service-Information.PS-Information.Service-Data-Container.Time-First-Usage},
    quantity: {unit: B, fields: [
      Service-Information.PS-Information.Service-Data-Container.Accounting-Input-Octets,
      Service-Information.PS-Information.Service-Data-Container.Accounting-Output-Octets]},
    event_type: {constant: data}, attributes: {zone: Service-Information.PS-Information.3GPP-SGSN-MCC-MNC},
    filters: [{field: Accounting-Record-Type, keep: ["3", "4"]}]}}
---
{kind: charging_service, code: texts, service_context: 32274@3gpp.org, event_type: text, measured_in: service_units,
  quota: 10 event}
"""


CUSTOMERS = 24
CUSTOMER = """
---
{kind: account, code: "%(msisdn)s", currency: EUR, wallets: [{code: card, type: prepaid, opening_balance: "7.5"}]}
---
{kind: subscription, code: "%(msisdn)s", account: "%(msisdn)s", offer: mobile, access_points: [{id: "%(msisdn)s"}]}
"""


def msisdn(number: int) -> str:
    """Return the number of a customer."""
    return str(MSISDN + number)


def write_world(data: Path) -> Path:
    """Write the catalog, each customer with 7.5 EUR; return the data directory."""
    catalog = data / "catalog"
    catalog.mkdir(parents=True, exist_ok=True)
    (catalog / "catalog.yaml").write_text(
        CATALOG + "".join(CUSTOMER % {"msisdn": msisdn(number)} for number in range(CUSTOMERS))
    )
    return data


@contextmanager
def engine_of(data: Path, **settings: Any) -> Iterator[Engine]:
    """Yield the recovered engine of a data directory, with its catalog in force."""
    directory = DataDirectory(data)
    directory.prepare()
    with OwnerLock(directory.lock):
        engine, _ = open_owned(directory, Settings(data_dir=data, dedup_window_days="unlimited", **settings), print)
        try:
            engine.recover()
            take_catalog(engine)
            yield engine
        finally:
            engine.close()


def run_beside(engine: Engine, act: Callable[[], Awaitable[None]]) -> None:
    """Run something while the desk of online charging is served between its steps, in one thread."""

    async def run() -> None:
        task = asyncio.ensure_future(act())
        while not task.done():
            engine.charging.serve(engine)
            await asyncio.sleep(0)
        task.result()

    asyncio.run(run())


def balance(engine: Engine, number: int = 0) -> tuple[Decimal, Decimal]:
    """Return the open balance of a customer's card, and what of it is reserved."""
    (wallet,) = check_balance(engine, msisdn(number))
    return Decimal(wallet["open"]), Decimal(wallet["reserved"])


def whose(number: int = 0) -> list[dict[str, Any]]:
    """Return the Subscription-Id of a customer."""
    return [{"Subscription-Id-Type": 0, "Subscription-Id-Data": msisdn(number)}]


WHOSE = whose()


def asked(**said: Any) -> dict[str, Any]:
    """Return what a Credit-Control-Request says, by short names."""
    names = {
        "type": "CC-Request-Type", "number": "CC-Request-Number", "session": "Session-Id", "context": "Service-Context-Id",
        "whose": "Subscription-Id", "services": "Multiple-Services-Credit-Control", "action": "Requested-Action",
        "at": "Event-Timestamp", "sub": "CC-Sub-Session-Id", "info": "Service-Information",
        "requested": "Requested-Service-Unit", "used": "Used-Service-Unit",
    }  # fmt: skip
    return {**CREDIT, **{names[name]: value for name, value in said.items()}}


def service(
    group: int | None = 1, *, ask: Any = None, used: Any = None, unit: str = "CC-Total-Octets", **more: Any
) -> Any:
    """Return a Multiple-Services-Credit-Control: `ask` () asks for whatever there is."""
    requested = None if ask is None else {} if ask == () else {unit: ask}
    reported = None if used is None else [{unit: each} for each in (used if isinstance(used, list) else [used])]
    return {"Requested-Service-Unit": requested, "Used-Service-Unit": reported, "Rating-Group": group, **more}


def told(group: Group) -> dict[int | None, tuple[Any, ...]]:
    """Return what an answer says of each rating group: result, grant, whether it is the last."""
    return {
        each.get("Rating-Group"): (
            each.get("Result-Code"),
            next((each.get("Granted-Service-Unit").get(name) for name in UNITS if each.has("Granted-Service-Unit")
                  and each.get("Granted-Service-Unit").has(name)), None),
            each.has("Final-Unit-Indication"),
        )
        for each in group.all("Multiple-Services-Credit-Control")
    }  # fmt: skip


UNITS = ("CC-Total-Octets", "CC-Input-Octets", "CC-Time", "CC-Service-Specific-Units")
