"""What holds for every tenant unless its product or itself says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from billing.access.rules import UnableToManageTenant

DEFAULTS: dict[str, Any] = {
    "accounts": {"reseller_levels": 1},
}
"""`reseller_levels`: how many resellers may stand between the operator and a customer."""


def check_configuration(said: Mapping[str, Any]) -> None:
    """Check what a tenant wants to say.

    Raises:
        UnableToManageTenant: when it is no name that anything reads, or a value that cannot be.
    """
    for name, value in said.items():
        if name == "accounts.reseller_levels":
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 16):
                raise UnableToManageTenant("accounts.reseller_levels is a whole number from 0 to 16")
        else:
            raise UnableToManageTenant(f"nothing reads {name}: there is accounts.reseller_levels")
