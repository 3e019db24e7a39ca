"""What happened to accounts, in the past tense."""

from __future__ import annotations

from dataclasses import dataclass

from billing.accounts.models import Kind


@dataclass(frozen=True, slots=True)
class AccountAdded:
    """There is an account more."""

    id: str
    code: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class AccountChanged:
    """An account says something else; `fields` names what. Empty: it said so already."""

    id: str
    code: str
    fields: tuple[str, ...]
