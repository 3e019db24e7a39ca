"""Why the account stage refuses, as `schemas.rejection.Reason` numbers it."""

from __future__ import annotations

NO_MATCHING_CHARGE = 300
NO_PRICE_VERSION = 301
COUNTER_PERIOD_CLOSED = 302
AMOUNT_OVERFLOW = 303
COUNTER_OVERFLOW = 304
INSUFFICIENT_BALANCE = 305
USAGE_TOO_LONG = 306
NO_DESTINATION_PRICE = 307
NO_MATRIX_PRICE = 308
VALUE_UNUSABLE = 309
CONDITION_UNDECIDED = 311
FORMULA_UNUSABLE = 312
COUNTER_USED_UP = 314
NEGATIVE_UNPRICED = 315
NO_EXCHANGE_RATE = 317
USED_UP = 1
"""Of one charge, not of the usage: its counter has nothing left, so the next one is asked."""
