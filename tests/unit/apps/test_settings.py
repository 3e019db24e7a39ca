"""Settings: where a value comes from, and what is said about a wrong one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from apps.settings import Settings, UnableToReadSettings, load_settings, origins


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty directory, without settings of whoever runs the tests."""
    for name in list(os.environ):
        if name.upper().startswith("OCTROI_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


LEVELS = ["default", "octroi.toml", ".env", "environment", "command line"]


@pytest.mark.parametrize("level", range(5))
def test_the_nearest_origin_wins_and_is_named(elsewhere: Path, monkeypatch: pytest.MonkeyPatch, level: int) -> None:
    if level >= 1:
        (elsewhere / "octroi.toml").write_text('data_dir = "from-toml"\nflush_ms = 1\n')
    if level >= 2:
        (elsewhere / ".env").write_text("OCTROI_DATA_DIR=from-dotenv\nOTHER_PROGRAM=1\n")
    if level >= 3:
        monkeypatch.setenv("OCTROI_DATA_DIR", "from-environment")
    given = {"data_dir": Path("from-command")} if level >= 4 else {}
    expected = ["octroi-data", "from-toml", "from-dotenv", "from-environment", "from-command"][level]
    settings = load_settings(given)
    assert settings.data_dir == Path(expected)
    assert settings.flush_ms == (1 if level else 1000)
    assert origins(given)["data_dir"] == LEVELS[level]
    assert origins(given)["flush_ms"] == ("octroi.toml" if level else "default")
    assert set(origins(given)) == set(Settings.model_fields)


def test_defaults_are_as_documented() -> None:
    settings = load_settings({})
    assert (settings.tenant, settings.dedup_window_days, settings.block_bytes) == ("main", "open_period", 4 << 20)
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("OCTROI_TENANT", "Not A Tenant", "tenant: .*(given 'Not A Tenant')"),
        ("OCTROI_TENANT", "", "tenant"),
        ("OCTROI_BLOCK_BYTES", "4095", "block_bytes: .*4096"),
        ("OCTROI_BLOCK_BYTES", str(1 << 40), "block_bytes"),
        ("OCTROI_FLUSH_MS", "soon", "flush_ms: .*integer.*(given 'soon')"),
        ("OCTROI_FLUSH_RECORDS", "0", "flush_records"),
        ("OCTROI_DEDUP_WINDOW_DAYS", "0", "dedup_window_days"),
        ("OCTROI_DEDUP_WINDOW_DAYS", "forever", "dedup_window_days.*unlimited"),
        ("OCTROI_POLL_MS", "1e2", "poll_ms"),
    ],
)
def test_a_wrong_value_is_named_with_its_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UnableToReadSettings, match=f"wrong setting: {told}"):
        load_settings({})


def test_every_wrong_value_is_told_at_once(monkeypatch: pytest.MonkeyPatch, elsewhere: Path) -> None:
    monkeypatch.setenv("OCTROI_FLUSH_MS", "-1")
    (elsewhere / "octroi.toml").write_text("poll_ms = 1\n")
    with pytest.raises(UnableToReadSettings, match=r"flush_ms.*; poll_ms|poll_ms.*; flush_ms"):
        load_settings({})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"flush_ms = \n", "octroi.toml: Invalid value"),
        (b"flsh_ms = 3\n", "octroi.toml: there is no setting flsh_ms; there are .*flush_ms"),
        (b'tenant = "\xff"\n', "octroi.toml or .env is not UTF-8"),
    ],
)
def test_a_wrong_file_is_named(elsewhere: Path, content: bytes, told: str) -> None:
    (elsewhere / "octroi.toml").write_bytes(content)
    with pytest.raises(UnableToReadSettings, match=told):
        load_settings({})


def test_a_secret_is_never_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    class WithSecret(Settings):
        token: SecretStr = SecretStr("")

    monkeypatch.setenv("OCTROI_TOKEN", "hunter2")
    monkeypatch.setenv("OCTROI_FLUSH_MS", "x")
    with pytest.raises(UnableToReadSettings) as caught:
        load_settings({}, WithSecret)
    assert "hunter2" not in str(caught.value)
    monkeypatch.delenv("OCTROI_FLUSH_MS")
    assert "hunter2" not in str(load_settings({}, WithSecret).model_dump(mode="json"))


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings({}).tenant = "other"
