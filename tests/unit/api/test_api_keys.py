"""Who may send: keys are known by their hashes alone, and nothing that is written about them shows one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from apps.api.keys import Keys
from apps.api.problems import Problem
from apps.settings import ApiKey, UnableToReadSettings, load_settings

KEY = "correct horse battery staple"
HASH = hashlib.sha256(KEY.encode()).hexdigest()


@pytest.fixture
def keys() -> Keys:
    other = hashlib.sha256(b"other").hexdigest()
    return Keys({"all": ApiKey(sha256=HASH), "some": ApiKey(sha256=other, sources=("calls",))})


def test_a_key_names_its_caller(keys: Keys) -> None:
    assert keys.caller(f"Bearer {KEY}").name == "all"
    assert keys.caller("bearer  other ").name == "some"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", f"Basic {KEY}", f"Bearer {HASH}", "Bearer é", KEY])
def test_anything_else_is_nobody(keys: Keys, header: str | None) -> None:
    with pytest.raises(Problem) as refused:
        keys.caller(header)
    assert (refused.value.name, refused.value.headers) == (
        "unauthorized",
        {"WWW-Authenticate": 'Bearer realm="octroi"'},
    )


def test_a_limited_key_is_for_its_sources(keys: Keys) -> None:
    keys.caller(f"Bearer {KEY}").require("anything")
    limited = keys.caller("Bearer other")
    limited.require("calls")
    with pytest.raises(Problem, match="'some' may not send to 'events'"):
        limited.require("events")


def test_a_key_limited_to_nothing_may_do_nothing() -> None:
    nobody = Keys({"none": ApiKey(sha256=HASH, sources=())}).caller(f"Bearer {KEY}")
    with pytest.raises(Problem):
        nobody.require("calls")


def test_keys_are_read_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("octroi.toml").write_text(f'[api_keys.gateway]\nsha256 = "{HASH}"\nsources = ["calls"]\n')
    found = load_settings({}).api_keys["gateway"]
    assert (found.sha256.get_secret_value(), found.sources) == (HASH, ("calls",))
    assert HASH not in str(load_settings({})) + load_settings({}).model_dump_json()


@pytest.mark.parametrize(
    "wrong",
    [f'sha256 = "{KEY}"', f'sha256 = "{HASH.upper()}"', f'sha256 = "{HASH}"\nkey = "{KEY}"', 'sources = ["calls"]'],
)
def test_a_wrong_key_is_refused_and_never_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("octroi.toml").write_text(f"[api_keys.gateway]\n{wrong}\n")
    with pytest.raises(UnableToReadSettings, match=r"api_keys\.gateway") as refused:
        load_settings({})
    for private in (KEY, HASH, HASH.upper()):
        assert private not in str(refused.value)
