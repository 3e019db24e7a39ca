"""Ready-made sources as catalogs of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from billing.catalog.store import load_catalog
from billing.catalog.templates import find_template


def load(name: str, directory: Path, points: Sequence[str] = ("1",)) -> Any:
    """Return the catalog that a template makes with somebody who buys what it measures."""
    directory.mkdir(parents=True, exist_ok=True)
    text = find_template(name).text
    (directory / f"{name}.yaml").write_text(text)
    documents = list(yaml.safe_load_all(text))
    types = {document["code"]: document["unit"] for document in documents if document["kind"] == "event_type"}
    sold: list[dict[str, Any]] = [
        {"kind": "account", "code": "anna", "currency": "EUR"},
        {"kind": "offer", "code": "all", "charges": list(types)},
        {"kind": "subscription", "code": "anna", "account": "anna", "offer": "all",
         "access_points": [{"id": point} for point in points]},
    ]  # fmt: skip
    for code, unit in types.items():
        version = {"start": "2024-01-01T00:00:00Z", "model": "flat", "per": f"1 {unit}", "price": "0"}
        sold.append({"kind": "charge", "code": code, "event_type": code, "price_plan": code})
        sold.append({"kind": "price_plan", "code": code, "currency": "EUR", "versions": [version]})
    (directory / "sold.yaml").write_text(yaml.safe_dump_all(sold))
    return load_catalog(directory)
