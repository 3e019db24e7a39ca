"""The published JSON Schema accepts what the manual shows, and refuses what no document may look like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from document_texts import blocks
from json_schema_twin import is_valid

from billing.catalog.documents import KINDS
from billing.catalog.json_schema import catalog_schema
from billing.catalog.models import Problems
from billing.catalog.yaml_text import read_nodes
from schemas.source import SOURCE_MODELS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "catalog.md").read_text()
SCHEMA = catalog_schema()


def _documents(text: str) -> list[Any]:
    nodes, _ = read_nodes(text.encode(), "catalog.yaml", Problems())
    return [node.plain() for node in nodes]


EXAMPLES = [document for text in blocks(PAGE, "yaml") for document in _documents(text)]


def test_every_example_of_the_manual_is_valid() -> None:
    assert {document["kind"] for document in EXAMPLES} == set(KINDS)
    assert {document["format"] for document in EXAMPLES if document["kind"] == "source"} == set(SOURCE_MODELS)
    assert [document for document in EXAMPLES if not is_valid(document, SCHEMA, SCHEMA)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_an_unknown_field_is_not(kind: str) -> None:
    document = next(document for document in EXAMPLES if document["kind"] == kind)
    assert not is_valid({**document, "colour": "red"}, SCHEMA, SCHEMA)


@pytest.mark.parametrize(
    "text",
    [
        "{kind: tariff, code: a}",
        "{code: a}",
        "[kind, offer]",
        "{kind: offer, code: a}",
        "{kind: offer, code: 'a b', charges: [c]}",
        "{kind: counter, code: a, unit: min, period: week}",
        "{kind: counter, code: a, unit: min, notify: [0 m, many]}",
        "{kind: source, code: a, format: tea, mapping: {}}",
        "{kind: source, code: a}",
        "{kind: event_type, code: a, unit: s, attributes: [a, b, c, d, e]}",
    ],
)
def test_what_no_document_looks_like_is_not(text: str) -> None:
    (document,) = _documents(text)
    assert not is_valid(document, SCHEMA, SCHEMA)
