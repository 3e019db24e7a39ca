"""The keywords of JSON Schema that pydantic writes, checked in the plainest way: an independent reader of the published schema."""

from __future__ import annotations

import re
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_KNOWN = {
    "$defs", "$ref", "$schema", "additionalProperties", "allOf", "anyOf", "const", "default", "description", "enum", "examples",
    "exclusiveMaximum", "exclusiveMinimum", "format", "if", "items", "maxItems", "maxLength", "maximum", "minItems", "minLength",
    "minimum", "oneOf", "pattern", "prefixItems", "properties", "propertyNames", "required", "then", "title", "type",
    "maxProperties", "minProperties", "discriminator", "uniqueItems", "patternProperties", "multipleOf",
}  # fmt: skip


def is_valid(value: Any, schema: dict[str, Any] | bool, root: dict[str, Any]) -> bool:
    """Return whether a value is what a schema describes.

    Raises:
        AssertionError: when the schema has a keyword that is not read here.
    """
    if isinstance(schema, bool):
        return schema
    assert set(schema) <= _KNOWN, set(schema) - _KNOWN
    if "$ref" in schema and not is_valid(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root):
        return False
    if "type" in schema and not _is_of(value, schema["type"]):
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if not all(is_valid(value, each, root) for each in schema.get("allOf", ())):
        return False
    for name, wanted in (("anyOf", any), ("oneOf", lambda found: sum(found) == 1)):
        if name in schema and not wanted([is_valid(value, each, root) for each in schema[name]]):
            return False
    if "if" in schema and is_valid(value, schema["if"], root) and not is_valid(value, schema["then"], root):
        return False
    return _fits(value, schema, root)


def _is_of(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES[name])


def _fits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        if any(name not in value for name in schema.get("required", ())):
            return False
        names = schema.get("propertyNames", True)
        patterns = schema.get("patternProperties", {})
        others = schema.get("additionalProperties", True)

        def of_name(name: str) -> Any:
            return properties.get(name, next((of for each, of in patterns.items() if re.search(each, name)), others))

        return all(
            is_valid(of, of_name(name), root) and is_valid(name, names, root) for name, of in value.items()
        ) and schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value))
    if isinstance(value, list):
        leading = schema.get("prefixItems", [])
        rest = [schema.get("items", True)] * (len(value) - len(leading))
        return schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)) and all(
            is_valid(item, each, root) for item, each in zip(value, [*leading, *rest], strict=False)
        )
    if isinstance(value, str):
        return (
            schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
            and re.search(schema.get("pattern", ""), value) is not None
        )
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (
            schema.get("minimum", value) <= value <= schema.get("maximum", value)
            and not value <= schema.get("exclusiveMinimum", value - 1)
            and not value >= schema.get("exclusiveMaximum", value + 1)
        )
    return True
