"""Accounting over Diameter (Rf): containers become rated usage once, whatever is sent again, and refused ones are kept."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from diameter_peer import Wire, connect
from diameter_run import OURS, serve_beside
from diameter_world import engine_of, msisdn, whose, write_world

from apps.cli.failures import CONFIGURATION, exit_code_of
from apps.diameter.accounting import UnableToAccount
from pipelines.mediation.diameter.fields import Group

START, INTERIM, STOP = 2, 3, 4
AT = 1_790_000_000


def container(number: int, octets: int, at: int = AT) -> dict[str, Any]:
    return {
        "Local-Sequence-Number": number,
        "Rating-Group": 1,
        "Time-First-Usage": at,
        "Accounting-Input-Octets": octets // 4,
        "Accounting-Output-Octets": octets - octets // 4,
    }


def record(kind: int, number: int, containers: Sequence[dict[str, Any]], customer: int = 0) -> dict[str, Any]:
    return {
        "Session-Id": f"pgw.epc;9;{customer}", "Origin-Host": "pgw.epc", "Origin-Realm": "epc", "Destination-Realm": "test",
        "Acct-Application-Id": 3, "Accounting-Record-Type": kind, "Accounting-Record-Number": number,
        "Service-Information": {
            "Subscription-Id": whose(customer),
            "PS-Information": {"3GPP-SGSN-MCC-MNC": "20801", "Service-Data-Container": list(containers)},
        },
    }  # fmt: skip


async def account(wire: Wire, said: dict[str, Any], **options: Any) -> Group:
    header, answer = await wire.ask(271, said, application=3, **options)
    assert answer.get("Session-Id") == said["Session-Id"]
    if answer.get("Result-Code") == 2001:
        assert answer.get("Accounting-Record-Number") == said["Accounting-Record-Number"]
        assert answer.get("Accounting-Record-Type") == said["Accounting-Record-Type"]
    assert bool(header.flags & 0x20) == (3000 <= answer.get("Result-Code") < 4000)
    return answer


async def usage(address: str, stop: threading.Event) -> None:
    wire = await connect(address)
    said = await wire.hello(**{"Acct-Application-Id": 3, "Auth-Application-Id": None})
    assert (said.get("Result-Code"), said.all("Acct-Application-Id"), said.all("Auth-Application-Id")) == (
        2001,
        [3],
        [4],
    )
    for kind, number, containers in (
        (START, 0, []),
        (INTERIM, 1, [container(1, 1000), container(2, 500)]),
        (STOP, 2, [container(3, 300)]),
    ):
        assert (await account(wire, record(kind, number, containers))).get("Result-Code") == 2001
    other = await connect(address)  # another relay, the same record: with and without the T flag, and byte for byte
    await other.hello(**{"Origin-Host": "dra.epc", "Acct-Application-Id": 3})
    again = record(INTERIM, 1, [container(1, 1000), container(2, 500)])
    for options in ({"again": True}, {"ids": (7, 7)}, {"ids": (7, 7)}):
        assert (await account(other, again, **options)).get("Result-Code") == 2001
    for customer in range(1, 9):  # many at once are few files
        wire.send(271, record(STOP, 0, [container(1, 100 * customer)], customer), application=3)
    for _ in range(1, 9):
        assert (await wire.next())[1].get("Result-Code") == 2001
    stranger = record(STOP, 0, [container(1, 100)], 5000)
    assert (await account(wire, stranger)).get("Result-Code") == 2001  # it is kept, and waits for its subscription
    assert (await account(wire, record(9, 3, []))).get("Result-Code") == 5004
    missing = record(STOP, 3, []) | {"Accounting-Record-Number": None}
    _, refused = await wire.ask(271, missing, application=3)
    assert refused.get("Result-Code") == 5005
    stop.set()
    while (await wire.next())[0].command != 282:
        pass


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What is stored of it, by what was asked of the store."""
    data = write_world(tmp_path_factory.mktemp("rf") / "data")
    serve_beside(data, usage, settings=OURS.model_copy(update={"accounting": "rf"}))
    with engine_of(data) as engine:
        return {name: engine.store.query(sql).to_pylist() for name, sql in QUERIES.items()}


QUERIES = {
    "items": "SELECT account, sum(quantity) AS octets, sum(amount) AS amount, count() AS items FROM rated_item GROUP BY account",
    "refused": "SELECT reason, count() AS n FROM rejection GROUP BY reason",
    "sheet": "SELECT sum(received) AS received, sum(accepted) AS accepted, sum(duplicate) AS duplicate, sum(filtered) AS filtered, "
    "sum(rejected) AS rejected, count() AS files FROM record_sheet",
}


def test_containers_are_rated_once(seen: dict[str, list[dict[str, Any]]]) -> None:
    per_account = {row["account"]: (int(row["octets"]), row["amount"], row["items"]) for row in seen["items"]}
    assert per_account == {
        msisdn(0): (1800, Decimal("1.8"), 3),
        **{msisdn(customer): (100 * customer, Decimal(customer) / 10, 1) for customer in range(1, 9)},
    }


def test_every_record_that_was_answered_is_in_the_sheet(seen: dict[str, list[dict[str, Any]]]) -> None:
    (sheet,) = seen["sheet"]
    assert sheet.pop("files") < 15  # those that came together are one
    assert {name: int(value) for name, value in sheet.items()} == {
        "received": 19, "accepted": 11, "duplicate": 6, "filtered": 1, "rejected": 1,
    }  # fmt: skip
    assert {row["reason"]: row["n"] for row in seen["refused"]} == {"UNKNOWN_ACCESS_POINT": 1}


def test_a_source_that_takes_none_is_refused_when_it_begins(tmp_path: Path) -> None:
    data = write_world(tmp_path / "data")

    async def nobody(address: str, stop: threading.Event) -> None:
        raise AssertionError(f"it listens on {address}")

    with pytest.raises(UnableToAccount, match="'calls'") as found:
        serve_beside(data, nobody, settings=OURS.model_copy(update={"accounting": "calls"}))
    assert exit_code_of(found.value) == CONFIGURATION
