"""The JSON Schema of catalog documents, for editors that complete and check them while they are written.

It says what one document may look like; what holds between documents only loading a catalog tells.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema

from billing.catalog.documents import KINDS, MODELS
from schemas.source import SOURCE_MODELS

NUMBER = r"^-?[0-9]+(\.[0-9]+)?$"
LENGTHS = ("minLength", "maxLength", "minItems", "maxItems")
BEYOND = (*LENGTHS, "ge", "gt", "le", "lt", "decimal_places", "max_digits", "allow_inf_nan")
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Exact(GenerateJsonSchema):
    """Decimals stand in quotes, or are whole."""

    def decimal_schema(self, schema: Any) -> JsonSchemaValue:
        return {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": NUMBER}]}


def catalog_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a document of any kind."""
    models = [*MODELS.values(), *SOURCE_MODELS.values()]
    places, found = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/$defs/{model}", schema_generator=_Exact
    )
    of_kind = [_when({"kind": kind}, places[model, "validation"]) for kind, model in MODELS.items()]
    of_format = [
        _when({"kind": "source", "format": name}, places[model, "validation"]) for name, model in SOURCE_MODELS.items()
    ]
    source = _when({"kind": "source"}, {"required": ["format"], "properties": {"format": {"enum": [*SOURCE_MODELS]}}})
    return {
        "$schema": DIALECT,
        "title": "octroi catalog document",
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": list(KINDS)}},
        "allOf": [*of_kind, source, *of_format],
        "$defs": _plain(found["$defs"]),
    }


def _plain(value: Any) -> Any:
    """Return a schema without bounds beside alternatives: of decimals, in words that it does not have, or of a list."""
    if isinstance(value, dict):
        return {name: _plain(of) for name, of in value.items() if "anyOf" not in value or name not in BEYOND}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _when(said: dict[str, str], schema: dict[str, Any]) -> dict[str, Any]:
    """Return a rule for documents that say so: they are what a schema describes."""
    known = {name: {"const": value} for name, value in said.items()}
    return {"if": {"required": list(said), "properties": known}, "then": schema}
