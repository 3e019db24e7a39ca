"""Price plug-ins: Python that an operator installed beside octroi, with a twin that it is compared with before it prices.

The entry point is an object with two functions. `price(columns, options)` is given a block of usage as arrays of one length
and returns int64 billionths of the currency unit, below zero where it refuses. `twin(usage, options)` is given one usage, the
same names with single numbers and texts, and returns its billionths, None where it refuses. Both must be pure: a replay calls
them again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any

import numpy as np

from schemas.arrays import Int64Array
from schemas.price_plan import EventType, PricePlugin
from schemas.values import VALUE_ABSENT

GROUP = "octroi.prices"
TRIED = 256
"""How many made-up usages a plug-in and its twin price before they are trusted."""
EDGES = (0, 1, 59_999, 60_000, 60_001, 10**6, 10**9, 2**40)
FIRST_AT = 1_767_225_600_000_000  # 2026-01-01
AnyArray = np.ndarray[Any, Any]
Words = Mapping[str, Any]


class UnableToUsePricePlugin(ValueError):
    """A plug-in is not installed, not in the version that is named, or does not price as its twin does."""


@dataclass(frozen=True, slots=True)
class LoadedPrice:
    """An installed plug-in, in one version."""

    name: str
    version: str
    price: Callable[[Mapping[str, AnyArray], Words], Any]
    twin: Callable[[Words, Words], int | None]

    def amounts(self, columns: Mapping[str, AnyArray], options: Words) -> Int64Array:
        """Return (n,) billionths, VALUE_ABSENT where the plug-in refuses.

        Raises:
            UnableToUsePricePlugin: whatever goes wrong in it.
        """
        count = len(columns["quantity"])
        try:
            found = np.asarray(self.price(columns, dict(options)))
        except (Exception, SystemExit) as error:
            raise UnableToUsePricePlugin(f"{self.name} {self.version}: {type(error).__name__}: {error}") from error
        if found.dtype != np.int64 or found.shape != (count,):
            shape = f"{found.dtype} of the shape {found.shape}"
            raise UnableToUsePricePlugin(f"{self.name} {self.version} returns {shape} for {count} usages, not int64")
        return np.where(found < 0, VALUE_ABSENT, found)

    def amount(self, usage: Words, options: Words) -> int | None:
        """Return what the twin makes of one usage, in billionths; None where it refuses.

        Raises:
            UnableToUsePricePlugin: whatever goes wrong in it.
        """
        try:
            found = self.twin(usage, dict(options))
        except (Exception, SystemExit) as error:
            message = f"the twin of {self.name} {self.version}: {type(error).__name__}: {error}"
            raise UnableToUsePricePlugin(message) from error
        return None if found is None or found < 0 else int(found)


def load_price(plugin: PricePlugin) -> LoadedPrice:
    """Return the plug-in that a version names, loaded.

    Raises:
        UnableToUsePricePlugin: when it is not installed, not in this version, or has not both functions.
    """
    return _load(plugin.name, plugin.version)


@lru_cache(maxsize=64)
def _load(name: str, version: str) -> LoadedPrice:
    points = list(entry_points(group=GROUP, name=name))
    if len(points) != 1:
        installed = ", ".join(sorted({point.name for point in entry_points(group=GROUP)})) or "none"
        many = f"is installed {len(points)} times" if points else "is not installed"
        raise UnableToUsePricePlugin(f"{name!r} {many} (price plug-ins: {installed})")
    found = points[0].dist.version if points[0].dist is not None else "none"
    if found != version:
        raise UnableToUsePricePlugin(f"{name} {version} is needed, and {found} is installed")
    try:
        loaded: Any = points[0].load()
    except (Exception, SystemExit) as error:
        message = f"{name} {found} cannot be loaded: {type(error).__name__}: {error}"
        raise UnableToUsePricePlugin(message) from error
    price, twin = getattr(loaded, "price", None), getattr(loaded, "twin", None)
    if not callable(price) or not callable(twin):
        raise UnableToUsePricePlugin(f"{name} {found} has no functions `price` and `twin`")
    return LoadedPrice(name, version, price, twin)


def check_price(plugin: PricePlugin, event_type: EventType, texts: list[str]) -> LoadedPrice:
    """Return a plug-in that prices made-up usage of an event type as its twin does.

    Args:
        texts: that attributes may have.

    Raises:
        UnableToUsePricePlugin: with the first usage that they price differently.
    """
    loaded = load_price(plugin)
    columns = _made_up(event_type, texts)
    amounts = loaded.amounts(columns, plugin.options)
    for row in range(TRIED):
        usage = {name: _single(column[row]) for name, column in columns.items()}
        fast = None if amounts[row] == VALUE_ABSENT else int(amounts[row])
        slow = loaded.amount(usage, plugin.options)
        if fast != slow:
            told = ", ".join(f"{name} {value}" for name, value in usage.items())
            message = f"{loaded.name} {loaded.version} gives {fast} billionths where its twin gives {slow}: {told}"
            raise UnableToUsePricePlugin(message)
    return loaded


def _single(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return None if int(value) == VALUE_ABSENT else int(value)


def _made_up(event_type: EventType, texts: list[str]) -> dict[str, AnyArray]:
    """Return columns of usage that looks for edges: the same ones every time."""
    state = 20_260_101

    def chance(below: int) -> int:
        nonlocal state
        state = (state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % 2**64
        return (state >> 33) % below

    def number() -> int:
        return EDGES[chance(len(EDGES))] if chance(2) else chance(10**7)

    rows = range(TRIED)
    columns: dict[str, AnyArray] = {
        "quantity": np.array([number() for _ in rows], np.int64),
        "at": np.array([FIRST_AT + chance(400 * 86_400) * 1_000_000 for _ in rows], np.int64),
    }
    for name in (*event_type.attributes, *event_type.lookups):
        columns[name] = np.array([texts[chance(len(texts))] for _ in rows], object)
    for name in event_type.values:
        absent = (VALUE_ABSENT, -number(), number(), number(), number())
        columns[name] = np.array([absent[chance(5)] for _ in rows], np.int64)
    return columns
