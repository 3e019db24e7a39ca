"""Online charging: what is asked while usage happens, as rows of fixed size, and what is answered."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.cdr import ATTRIBUTE_SLOTS
from schemas.values import VALUE_SLOTS

CHARGING_SOURCE = "charging"
"""The source that usage charged online is stored under."""
VALIDITY_S_MAX = 86_400
"""How long a reservation may be held at most: seconds."""
Rows = NDArray[Any]
"""A structured array."""


class ChargingKind(IntEnum):
    """What is asked. Numbers are kept in logs: none is used for something else."""

    RESERVE = 1
    CONFIRM = 2
    CANCEL = 3
    CHARGE = 4
    REFUND = 5


class ChargingCode(IntEnum):
    """How a request ended. Numbers are kept in logs: none is used for something else."""

    DONE = 0
    CREDIT_LIMIT_REACHED = 1
    RATING_FAILED = 2
    UNKNOWN_RESERVATION = 3
    NOT_OPEN = 4
    ANOTHER_REQUEST = 5


CODE_WORDS: dict[ChargingCode, tuple[str, str]] = {
    ChargingCode.DONE: ("done", "2001 DIAMETER_SUCCESS"),
    ChargingCode.CREDIT_LIMIT_REACHED: ("the wallets cannot pay for any of it", "4012 DIAMETER_CREDIT_LIMIT_REACHED"),
    ChargingCode.RATING_FAILED: ("it has no price", "5031 DIAMETER_RATING_FAILED"),
    ChargingCode.UNKNOWN_RESERVATION: ("no such reservation or charge is known", "5002 DIAMETER_UNKNOWN_SESSION_ID"),
    ChargingCode.NOT_OPEN: ("it was confirmed, cancelled or refunded before", "5002 DIAMETER_UNKNOWN_SESSION_ID"),
    ChargingCode.ANOTHER_REQUEST: (
        "another request had this id: take a new one, or repeat that one",
        "5004 DIAMETER_INVALID_AVP_VALUE",
    ),
}
"""What each code means, and the result code of Diameter (RFC 6733, RFC 8506) that says the same."""


class Standing(IntEnum):
    """What became of a request that is kept."""

    ENDED = 0
    """It holds nothing: it was refused, or it ended another one."""
    OPEN = 1
    CONFIRMED = 2
    CANCELLED = 3
    EXPIRED = 4
    CHARGED = 5
    REFUNDED = 6


REQUEST = np.dtype(
    [
        ("hi", "<u8"),
        ("lo", "<u8"),
        ("of_hi", "<u8"),
        ("of_lo", "<u8"),
        ("quantity", "<i8"),
        ("increment", "<i8"),
        ("event_at", "<i8"),
        ("content", "<u4"),
        ("validity_s", "<u4"),
        ("access_point", "<i4"),
        ("subscription", "<i4"),
        ("event_type", "<u2"),
        ("kind", "u1"),
        ("spare", "u1", (5,)),
        ("attributes", "<i4", (ATTRIBUTE_SLOTS,)),
        ("values", "<i8", (VALUE_SLOTS,)),
    ]
)
"""One request as the log keeps it.

`hi`, `lo`: keyed digest of its id. `of_hi`, `of_lo`: of the request that it confirms, cancels or refunds, else 0.
`quantity`: base steps asked for or used. `increment`: a grant may be smaller in whole multiples of it; 0: all or nothing.
`event_at`: microseconds UTC, 0 for when it is taken. `content`: checksum of all that was said, to know a repetition.
`validity_s`: how long a reservation is held. Ids and codes are the vocabulary's.
"""

ANSWER = np.dtype(
    [
        ("code", "u1"),
        ("spare", "u1"),
        ("reason", "<u2"),
        ("record", "<u4"),
        ("claim", "<u4"),
        ("granted", "<i8"),
        ("amount", "<i8"),
        ("expires_at", "<i8"),
    ]
)
"""One answer. `reason`: `schemas.rejection.Reason` of RATING_FAILED. `claim`, `record`: the rated item that it came to, or took
back; 0 for none. `granted`: base steps. `amount`: billionths reserved or charged; of a cancellation or refund, given back."""
