"""Members of JSON objects as flows have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipelines.mediation.failures import UnableToDecodeFile


def items(holder: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of an array; nothing where there is none.

    Raises:
        UnableToDecodeFile: WRONG_FLOW when something else stands there, which must not pass unseen.
    """
    found = holder.get(name)
    for item in found if isinstance(found, list) else () if found is None else (found,):
        if not isinstance(found, list) or not isinstance(item, dict):
            raise UnableToDecodeFile("WRONG_FLOW", f"{name} is no array of objects")
        yield item


def text(holder: dict[str, Any], name: str, *path: str) -> str:
    """Return the text of a member, or of one at a path, "" where there is none; numbers as they are written."""
    value: Any = holder
    for step in (name, *path):
        value = value.get(step) if isinstance(value, dict) else None
    return "" if value is None or isinstance(value, dict | list) else str(value)
