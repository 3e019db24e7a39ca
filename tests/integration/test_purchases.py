"""Products from the catalog to money: charged at the price of when they are bought, and taken back when they come back."""

from __future__ import annotations

from pathlib import Path

from cli_octroi import balanced, octroi, query

CATALOG = """
kind: price_plan
code: router
currency: EUR
versions:
  - {start: "2026-01-01T00:00:00Z", end: "2026-07-21T00:00:00Z", model: event, price: "89.90"}
  - {start: "2026-07-21T00:00:00Z", model: event, price: "79.90"}
---
{kind: product_charge, code: router, price_plan: router}
---
{kind: offer, code: shop, charges: [router]}
---
{kind: account, code: ana, currency: EUR}
---
{kind: contract, code: deal, account: ana, start: "2026-07-22T00:00:00Z", items: [{charge: router, percentage: "10"}]}
---
{kind: subscription, code: ana, account: ana, offer: shop, start: "2026-07-01T00:00:00Z"}
---
{kind: purchase, code: first, subscription: ana, product: router, at: "2026-07-20T10:00:00Z", quantity: 2}
---
{kind: purchase, code: second, subscription: ana, product: router, at: "2026-07-21T10:00:00Z", returned_at: "2026-08-02T09:00:00Z"}
---
{kind: purchase, code: third, subscription: ana, product: router, at: "2026-07-22T10:00:00Z"}
"""


def test_products_are_charged_when_they_are_bought_and_taken_back(tmp_path: Path) -> None:
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "catalog.yaml").write_text(CATALOG)
    octroi("run", tmp_path).ok()

    def charged(until: str) -> tuple[int, int, dict[str, str]]:
        told = octroi("fees", "--data", tmp_path, "--until", until, "--json").ok().json
        return told["charged"], told["taken_back"], told["amounts"]

    assert charged("2026-07-22") == (2, 0, {"EUR": "259.700000000"})
    assert charged("2026-08-02") == (1, 0, {"EUR": "71.910000000"})
    assert charged("2026-08-03") == (0, 1, {"EUR": "-79.900000000"})
    assert charged("2026-08-03") == (0, 0, {})
    (tmp_path / "catalog" / "catalog.yaml").write_text(CATALOG.replace("quantity: 2", "quantity: 1"))
    octroi("run", tmp_path).ok()
    assert charged("2026-08-03") == (0, 1, {"EUR": "-89.900000000"})
    balanced(tmp_path)
    items = query(tmp_path, "SELECT id, toString(amount) AS amount FROM rated_item ORDER BY claim, record")
    assert [row["amount"] for row in items] == ["179.8", "79.9", "71.91", "-79.9", "-89.9"]
    told = octroi("explain", items[0]["id"], "--data", tmp_path).ok().out
    assert "as stored" in told
    (tmp_path / "catalog" / "catalog.yaml").write_text(
        "{kind: event_type, code: song, unit: event}\n---\n"
        "{kind: price_plan, code: song, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, model: event, price: '1'}]}\n---\n"
        "{kind: charge, code: song, event_type: song, price_plan: song}\n---\n{kind: offer, code: shop, charges: [song]}\n"
    )
    assert "spool/fees" not in octroi("run", tmp_path).ok().err
