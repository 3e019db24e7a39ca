"""Whoever asks too often is told when to ask again, and nobody else is held up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from api_world import Api, api
from login_world import Browser, logged_in

from apps.api import rates
from apps.api.rates import BURST_S


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    # buckets of this clock fill while nothing happens: it stands still
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rates.Buckets.__init__, "__defaults__", (lambda: 1,))
        data = tmp_path_factory.mktemp("rates")
        with api(data, http_key_rate=2, http_user_rate=1, http_address_rate=3, http_proxies=("127.0.0.1/32",)) as found:
            yield found


def test_a_key_a_user_and_an_address_have_each_their_own(world: Api) -> None:
    browser = logged_in(world, "ana")
    statuses = [world.ask("GET", "/v1/why?action=audit:list", key="viewer").status_code for _ in range(2 * BURST_S)]
    assert set(statuses) == {200}
    refused = world.ask("GET", "/v1/why?action=audit:list", key="viewer")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["type"] == "urn:octroi:problem:rate-limited"
    assert world.ask("GET", "/v1/why?action=audit:list", key="care").status_code == 200
    mine = [browser.ask("GET", "/v1/session").status_code for _ in range(BURST_S + 1)]
    assert mine == [200] * BURST_S + [429]

    def stranger(address: str) -> int:
        headers = {"Authorization": "Bearer nobody", "X-Forwarded-For": address}
        return int(world.client.request("GET", "/v1/accounts", headers=headers).status_code)

    told = [stranger("203.0.113.7") for _ in range(3 * BURST_S + 1)]
    assert told == [401] * 3 * BURST_S + [429]
    assert stranger("203.0.113.8") == 401
    known = {"Authorization": f"Bearer {world.tokens['care']}", "X-Forwarded-For": "203.0.113.7"}
    assert world.client.request("GET", "/v1/why?action=audit:list", headers=known).status_code == 200
    login = Browser(world).ask("POST", "/v1/session", {"name": "ana", "password": "x"}, X_Forwarded_For="203.0.113.7")
    assert login.status_code == 429
