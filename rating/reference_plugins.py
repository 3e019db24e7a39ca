"""The twin of a price plug-in is the plug-in's own: what it is given of one usage, and what it makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from rating.price_plugins import UnableToUsePricePlugin, load_price
from rating.reference_tables import Said, UnableToPrice
from schemas.money import AMOUNT_DECIMALS, from_scaled
from schemas.price_plan import EventType, PricePlugin
from schemas.rejection import Reason
from schemas.values import pack_digits


def plugin_amount(
    plugin: PricePlugin, event_type: EventType, said: Mapping[str, Said], quantity: int, event_at: int
) -> Decimal:
    """Return what the twin of a plug-in makes of a usage.

    Args:
        quantity: base steps. event_at: microseconds UTC.

    Raises:
        UnableToPrice: when it refuses, or fails.
    """
    usage: dict[str, Any] = {"quantity": quantity, "at": event_at}
    for name in (*event_type.attributes, *event_type.lookups):
        usage[name] = str(said.get(name, ""))
    for name, type_ in event_type.values.items():
        value = said.get(name)
        if isinstance(value, Decimal):
            usage[name] = int(value * 10**type_.decimals)
        elif isinstance(value, str):
            usage[name] = pack_digits(value)
        else:
            usage[name] = value.toordinal() - date(1970, 1, 1).toordinal() if isinstance(value, date) else value
    try:
        found = load_price(plugin).amount(usage, plugin.options)
    except UnableToUsePricePlugin as error:
        raise UnableToPrice(Reason.VALUE_UNUSABLE, str(error)) from error
    if found is None:
        raise UnableToPrice(Reason.VALUE_UNUSABLE, f"the plug-in {plugin.name} refuses the usage")
    return from_scaled(found, AMOUNT_DECIMALS)
