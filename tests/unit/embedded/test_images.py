"""Catalogs that were in force: kept exactly, activated once, recompiled the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from catalog_texts import CATALOG, write_catalog

from apps.embedded import images
from apps.embedded.images import UnableToReadImage, activate, archive_catalog, prepare_activation, recompile
from apps.embedded.layout import DataDirectory
from billing.catalog.store import UnableToCopyCatalog, load_catalog
from pipelines.snapshot import StageState
from pipelines.spool.journal import ImageClaim
from schemas.catalog import Catalog

AT = 1_775_001_600_000_000
EURO = 10**9
MORE = "{kind: account, code: zoe, currency: CHF, wallets: [{code: card, type: prepaid, opening_balance: '7'}]}\n"
DEARER = CATALOG["parties.yaml"].replace('"10.50"', '"99"')


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    made = DataDirectory(tmp_path / "data")
    made.prepare()
    write_catalog(made.catalog, CATALOG)
    return made


def archive(directory: DataDirectory) -> Catalog:
    catalog = load_catalog(directory.catalog)
    archive_catalog(directory, catalog)
    return catalog


def claim(catalog: Catalog, number: int = 1) -> ImageClaim:
    return ImageClaim(claim=number, received_at=AT, content_hash=catalog.content_hash)


def balances(state: StageState) -> dict[str, int]:
    names = state.vocabulary.wallets.names.to_list()
    return {name: state.account.balance(index) for index, name in enumerate(names) if state.account.balance(index)}


def test_opening_balances_are_credited_once_each(directory: DataDirectory) -> None:
    state = StageState.empty()
    first = archive(directory)
    activation = activate(directory, claim(first), state)
    assert balances(state) == {"ada/bonus": 10_500_000_000, "t2/prepaid": 12_500_000_000}
    assert [(c.claim, c.row, c.amount, c.balance_after, c.at) for c in activation.credits] == [
        (1, 0, 10_500_000_000, 10_500_000_000, AT),
        (1, 1, 12_500_000_000, 12_500_000_000, AT),
    ]
    write_catalog(directory.catalog, {"more.yaml": MORE, "parties.yaml": DEARER})
    second = activate(directory, claim(archive(directory), 2), state)
    # an opening balance is what a wallet holds when an image first names it: a changed one changes nothing
    assert balances(state) == {"ada/bonus": 10_500_000_000, "t2/prepaid": 12_500_000_000, "zoe/card": 7 * EURO}
    assert [(credit.claim, credit.amount) for credit in second.credits] == [(2, 7 * EURO)]
    back = activate(directory, claim(first, 3), state)
    assert back.credits == ()
    assert state.image == first.content_hash
    assert balances(state)["zoe/card"] == 7 * EURO


def test_what_was_prepared_is_not_compiled_again(directory: DataDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    first = archive(directory)
    write_catalog(directory.catalog, {"more.yaml": MORE})
    second = archive(directory)
    monkeypatch.setattr(images, "archived_catalog", lambda directory, content_hash: second)
    prepared = prepare_activation(first, StageState.empty().vocabulary, None)
    assert activate(directory, claim(first), StageState.empty(), None, prepared).active.catalog is first
    assert activate(directory, claim(second), StageState.empty(), None, prepared).active.catalog is second
    assert activate(directory, claim(second), StageState.empty()).active.catalog is second


def test_what_was_prepared_for_other_names_changes_nothing(directory: DataDirectory) -> None:
    state = StageState.empty()
    first = archive(directory)
    prepared = prepare_activation(first, state.vocabulary, None)
    assert not any(state.vocabulary.counts()[kind] for kind in ("accounts", "wallets", "images"))
    activate(directory, claim(first), state, None, prepared)
    before = state.vocabulary.counts(), state.account.checksum()
    with pytest.raises(ValueError, match="prepared for other names"):
        activate(directory, claim(first, 2), state, None, prepared)
    assert (state.vocabulary.counts(), state.account.checksum()) == before


def test_opening_readings_open_their_registers_and_never_move_them(directory: DataDirectory) -> None:
    state = StageState.empty()
    first = archive(directory)
    activate(directory, claim(first), state)
    registers = state.resource.registers
    assert registers.count == 2
    assert sorted(registers.last_index[registers.last_at != 0].tolist()) == [0, 100_500_000]
    registers.last_index[registers.last_index == 100_500_000] = 200_000_000
    activate(directory, claim(first, 2), state)
    assert sorted(registers.last_index[registers.last_at != 0].tolist()) == [0, 200_000_000]


def test_an_image_is_recompiled_after_a_restart_without_changing_the_state(directory: DataDirectory) -> None:
    state = StageState.empty()
    catalog = archive(directory)
    active = activate(directory, claim(catalog), state).active
    shutil.rmtree(directory.catalog)  # the log needs the archived one only
    before, names = state.account.checksum(), state.vocabulary.counts()
    again = recompile(directory, state.image, state)
    assert again.image.content_hash == active.image.content_hash == catalog.content_hash
    assert (state.account.checksum(), state.vocabulary.counts()) == (before, names)
    for column in ("slots", "windows"):
        assert getattr(again.image.access, column).tolist() == getattr(active.image.access, column).tolist()


def test_a_catalog_is_archived_once_and_exactly(directory: DataDirectory) -> None:
    catalog = archive(directory)
    archive_catalog(directory, catalog)
    kept = directory.images / catalog.content_hash
    assert {path.name for path in directory.images.iterdir()} == {catalog.content_hash}
    assert (kept / "tables/subscribers.csv").read_text() == CATALOG["tables/subscribers.csv"]


def test_a_catalog_edited_since_it_was_loaded_is_not_archived(directory: DataDirectory) -> None:
    """What the log names must be what is kept."""
    catalog = load_catalog(directory.catalog)
    write_catalog(directory.catalog, {"parties.yaml": DEARER})
    with pytest.raises(UnableToCopyCatalog, match="changed since it was loaded"):
        archive_catalog(directory, catalog)
    assert list(directory.images.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("parties.yaml", DEARER, "was changed since it was in force"),
        ("plans.yaml", "kind: [", "is needed to continue the log"),
        ("plans.yaml", "", "is needed to continue the log"),
    ],
)
def test_an_archived_catalog_that_was_changed_is_refused(
    directory: DataDirectory, name: str, content: str, told: str
) -> None:
    state = StageState.empty()
    catalog = archive(directory)
    write_catalog(directory.images / catalog.content_hash, {name: content})
    before = state.account.checksum()
    with pytest.raises(UnableToReadImage, match=told):
        activate(directory, claim(catalog), state)
    with pytest.raises(UnableToReadImage, match=told):
        recompile(directory, catalog.content_hash, state)
    assert (state.account.checksum(), len(state.vocabulary.accounts)) == (before, 0)


def test_an_archived_catalog_that_is_gone_is_refused(directory: DataDirectory) -> None:
    catalog = archive(directory)
    shutil.rmtree(directory.images / catalog.content_hash)
    with pytest.raises(UnableToReadImage, match=catalog.content_hash):
        activate(directory, claim(catalog), StageState.empty())


def test_a_decoder_learns_the_codes_of_the_state(directory: DataDirectory) -> None:
    state = StageState.empty()
    active = activate(directory, claim(archive(directory)), state).active
    context = active.decode_context("cdr", state, tenant="acme", secret=bytes(16))
    codes = state.vocabulary.event_types.names.to_list()
    assert {codes[code]: name for name, code in context.event_type_codes.items()} == {name: name for name in codes}
    assert context.attribute_codes[""] == 0
    assert state.vocabulary.attribute_values.names.to_list()[context.attribute_codes["FR"]] == "FR"
    with pytest.raises(KeyError):
        active.decode_context("other", state, tenant="acme", secret=bytes(16))


def test_only_new_names_are_told_to_the_store(directory: DataDirectory) -> None:
    state = StageState.empty()
    first = archive(directory)
    activation = activate(directory, claim(first), state)
    tables = activation.names
    accounts = {row["code"]: row["id"] for row in tables["dim_account"].to_pylist()}
    assert sorted(accounts) == ["ada", "bob", "house", "t1", "t2", "t3"]
    wallets = tables["dim_wallet"].to_pylist()
    assert {
        (row["code"], row["account"], bool(row["prepaid"])) for row in wallets if row["account"] == accounts["ada"]
    } == {
        ("bonus", accounts["ada"], True),
        ("main", accounts["ada"], True),
        ("bill", accounts["ada"], False),
    }
    subscriptions = {row["code"]: row["account"] for row in tables["dim_subscription"].to_pylist()}
    assert subscriptions["bob-mobile"] == accounts["bob"]
    assert [row["step_count"] for row in tables["dim_event_type"].to_pylist() if row["code"] == "toll"] == [100]

    write_catalog(directory.catalog, {"more.yaml": MORE})
    second = archive(directory)
    activation = activate(directory, claim(second, 2), state)
    tables = activation.names
    assert {name: [row["code"] for row in table.to_pylist()] for name, table in tables.items()} == {
        "dim_account": ["zoe"],
        "dim_wallet": ["card"],
        "dim_currency": ["CHF"],
        "dim_image": [second.content_hash],
    }
    assert tables["dim_account"].to_pylist()[0]["id"] == 6

    activation = activate(directory, claim(first, 3), state)  # nothing that was not told already
    assert activation.names == {}
