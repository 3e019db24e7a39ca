"""`octroi tenant` and `octroi db`, as they are typed."""

from __future__ import annotations

import json
import os
from itertools import count
from pathlib import Path

import pytest
from cli_octroi import octroi

from apps.embedded.lock import OwnerLock
from billing.access.store.database import open_schema

_numbers = count()


@pytest.fixture(params=["sqlite", "postgresql"])
def data(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation on each kind of database."""
    monkeypatch.chdir(tmp_path)
    if request.param == "postgresql":
        address = request.getfixturevalue("postgres")
        name = f"octroi_{os.getpid()}_{next(_numbers)}"
        server = open_schema(address, "nobody").engine.execution_options(isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        monkeypatch.setenv("OCTROI_DATABASE", address.replace("/postgres?", f"/{name}?"))
    return tmp_path / "data"


def test_the_life_of_a_tenant(data: Path) -> None:
    assert (
        octroi("tenant", "list", "--data", data).ok().out
        == "there are no tenants: `octroi tenant add CODE` makes one\n"
    )
    octroi("tenant", "add", "acme", "--name", "Acme", "--data", data).ok()
    octroi("tenant", "add", "main", "--data", data).ok()
    again = octroi("tenant", "add", "acme", "--data", data)
    assert (again.code, again.err) == (2, "octroi: tenant acme is there already\n")
    assert [(row["tenant"], row["name"]) for row in octroi("tenant", "list", "--data", data, "--json").json] == [
        ("acme", "Acme"),
        ("main", "main"),
    ]
    own = data / "tenants" / "acme"
    octroi(
        "tenant", "config", "accounts.reseller_levels=3", "--data", own, "--by", "ben"
    ).ok()  # the directory says whose
    (row,) = octroi("tenant", "config", "--tenant", "acme", "--data", data, "--json").json[-1:]
    assert row == {"name": "accounts.reseller_levels", "value": 3, "origin": "tenant"}
    assert octroi("tenant", "config", "colour=red", "--data", own).code == 2
    log = octroi("tenant", "audit", "--data", own, "--json").ok().json
    assert [(entry["by"] == "ben", entry["entity"]) for entry in log] == [(False, "tenant"), (True, "configuration")]

    assert octroi("tenant", "delete", "acme", "--data", data).code == 2
    assert "is active: suspend it first" in octroi("tenant", "delete", "acme", "--yes", "--data", data).err
    octroi("tenant", "suspend", "acme", "--data", data).ok()
    refused = octroi("tenant", "config", "accounts.reseller_levels=", "--data", own)
    assert (refused.code, "tenant acme is suspended" in refused.err) == (2, True)
    octroi("tenant", "export", "acme", "--to", data / "acme.db", "--data", data).ok()
    assert octroi("tenant", "export", "acme", "--to", data / "acme.db", "--data", data).code == 2
    with OwnerLock(own / "owner.lock"):
        assert octroi("tenant", "delete", "acme", "--yes", "--data", data).code == 4
    left = own.with_name(".acme.deleted")  # by a deletion of another acme that was killed
    left.mkdir()
    (left / "half").write_text("removed")
    octroi("tenant", "delete", "acme", "--yes", "--data", data).ok()
    assert not own.exists()
    assert not left.exists()
    assert [row["tenant"] for row in octroi("tenant", "list", "--data", data, "--json").json] == ["main"]
    assert "octroi tenant add acme" in octroi("tenant", "config", "--tenant", "acme", "--data", data).err
    kept = octroi("tenant", "delete", "main", "--yes", "--data", data)
    assert (kept.code, "own: remove the directory" in kept.err) == (2, True)


def test_the_clock_of_a_tenant(data: Path) -> None:
    octroi("tenant", "add", "main", "--data", data).ok()
    assert octroi("tenant", "clock", "--data", data, "--json").ok().json["frozen"] is False
    told = octroi("tenant", "clock", "--set", "2027-01-01T01:00:00+01:00", "--data", data, "--json").ok().json
    assert told == {"tenant": "main", "now": "2027-01-01T00:00:00+00:00", "frozen": True}
    octroi("tenant", "config", "accounts.reseller_levels=2", "--data", data).ok()
    assert octroi("tenant", "audit", "--data", data, "--json").json[-1]["at"] == "2027-01-01T00:00:00+00:00"
    assert octroi("tenant", "clock", "--set", "2026-01-01T00:00:00Z", "--data", data).code == 2
    for wrong in ("2027-01-01", "tomorrow"):
        assert octroi("tenant", "clock", "--set", wrong, "--data", data).code == 2
    assert octroi("tenant", "clock", "--free", "--data", data, "--json").ok().json["frozen"] is False


def test_a_product_lies_between_defaults_and_tenants(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    octroi("tenant", "add", "main", "--data", data).ok()
    product = data / "product.yaml"
    product.write_text(json.dumps({"accounts": {"reseller_levels": 4}}))
    monkeypatch.setenv("OCTROI_PRODUCT", str(product))

    def levels() -> tuple[int, str]:
        (found,) = [
            row
            for row in octroi("tenant", "config", "--data", data, "--json").ok().json
            if row["name"] == "accounts.reseller_levels"
        ]
        return found["value"], found["origin"]

    assert levels() == (4, "product")
    octroi("tenant", "config", "accounts.reseller_levels=2", "--data", data).ok()
    assert levels() == (2, "tenant")
    octroi("tenant", "config", "accounts.reseller_levels=", "--data", data).ok()
    assert levels() == (4, "product")
    product.write_text("- 1")
    assert octroi("tenant", "config", "--data", data).code == 3


def test_a_database_moves(data: Path, postgres: str) -> None:
    octroi("tenant", "add", "main", "--data", data).ok()
    told = octroi("db", "current", "--data", data, "--json").ok().json
    assert told["revision"] == told["newest"]
    assert octroi("db", "upgrade", "--data", data, "--json").ok().json["after"] == told["newest"]
    assert octroi("db", "upgrade", "--tenant", "other", "--data", data).code == 4
    copied = octroi("db", "copy", "--to", data / "copy.db", "--data", data, "--json").ok().json
    assert {row["table"]: row["rows"] for row in copied}["tenant"] == 1
    again = octroi("db", "copy", "--to", data / "copy.db", "--data", data)
    assert (again.code, "already: nothing was copied" in again.err) == (2, True)
    assert octroi("db", "copy", "--to", "mysql://db/octroi", "--data", data).code == 4


def test_an_address_is_never_shown(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTROI_DATABASE", "postgresql://ana:hunter2@127.0.0.1:1/octroi")
    for command in (["tenant", "list"], ["tenant", "add", "main"], ["config", "show"]):
        told = octroi(*command, "--data", data)
        assert "hunter2" not in told.out + told.err
    assert told.code == 0
    assert octroi("tenant", "list", "--data", data).code == 4


def test_no_setting_leads_to_another_tenants_business(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    octroi("tenant", "add", "main", "--data", data).ok()
    octroi("tenant", "add", "acme", "--data", data).ok()
    octroi("account", "add", "secret", "--kind", "seller", "currency=EUR", "--data", data).ok()
    catalog = data / "tenants" / "acme" / "catalog"
    catalog.mkdir()
    (catalog / "sold.yaml").write_text("{kind: event_type, code: voice, unit: s}\n")
    monkeypatch.setenv("OCTROI_TENANT", "other")
    listed = octroi("account", "list", "--data", data)
    assert (listed.code, "secret" in listed.out) == (4, False)
    monkeypatch.setenv("OCTROI_TENANT", "main")
    assert octroi("catalog", "publish", "--data", catalog.parent).code != 0
    assert [path.name for path in catalog.iterdir()] == ["sold.yaml"]


def test_what_was_written_by_hand_is_not_published_over(data: Path) -> None:
    octroi("tenant", "add", "main", "--data", data).ok()
    own = data / "catalog" / "control.yaml"
    own.parent.mkdir()
    own.write_text("{kind: event_type, code: voice, unit: s}\n")
    refused = octroi("catalog", "publish", "--data", data)
    assert (refused.code, "would be lost" in refused.err) == (3, True)
    assert own.read_text().startswith("{kind")
