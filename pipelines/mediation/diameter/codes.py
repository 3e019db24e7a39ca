"""Numbers of Diameter: commands, applications, flags, and results with what they mean (RFC 6733 §3, §7, RFC 8506 §9)."""

from __future__ import annotations

from enum import IntEnum

VERSION = 1
REQUEST, PROXIABLE, ERROR, RETRANSMITTED = 0x80, 0x40, 0x20, 0x10
"""Flags of a message."""
VENDOR, MANDATORY, PROTECTED = 0x80, 0x40, 0x20
"""Flags of an AVP."""
THREE_GPP = 10415
"""The number of 3GPP as a vendor."""


class Command(IntEnum):
    """What a message asks, or answers."""

    CAPABILITIES_EXCHANGE = 257
    RE_AUTH = 258
    ACCOUNTING = 271
    CREDIT_CONTROL = 272
    ABORT_SESSION = 274
    SESSION_TERMINATION = 275
    DEVICE_WATCHDOG = 280
    DISCONNECT_PEER = 282


SHORT = {257: "CE", 258: "RA", 271: "AC", 272: "CC", 274: "AS", 275: "ST", 280: "DW", 282: "DP"}
"""Commands as people call them, without the last letter: R of a request, A of an answer."""


class Application(IntEnum):
    """Whose messages they are."""

    COMMON = 0
    ACCOUNTING = 3
    CREDIT_CONTROL = 4
    RELAY = 0xFFFFFFFF


class Result(IntEnum):
    """How a request ended. 3xxx are errors of the protocol, whose answers have the E bit."""

    SUCCESS = 2001
    LIMITED_SUCCESS = 2002
    COMMAND_UNSUPPORTED = 3001
    UNABLE_TO_DELIVER = 3002
    REALM_NOT_SERVED = 3003
    TOO_BUSY = 3004
    LOOP_DETECTED = 3005
    APPLICATION_UNSUPPORTED = 3007
    INVALID_HDR_BITS = 3008
    INVALID_AVP_BITS = 3009
    UNKNOWN_PEER = 3010
    END_USER_SERVICE_DENIED = 4010
    CREDIT_CONTROL_NOT_APPLICABLE = 4011
    CREDIT_LIMIT_REACHED = 4012
    AVP_UNSUPPORTED = 5001
    UNKNOWN_SESSION_ID = 5002
    AUTHORIZATION_REJECTED = 5003
    INVALID_AVP_VALUE = 5004
    MISSING_AVP = 5005
    CONTRADICTING_AVPS = 5007
    AVP_NOT_ALLOWED = 5008
    AVP_OCCURS_TOO_MANY_TIMES = 5009
    NO_COMMON_APPLICATION = 5010
    UNSUPPORTED_VERSION = 5011
    UNABLE_TO_COMPLY = 5012
    INVALID_AVP_LENGTH = 5014
    INVALID_MESSAGE_LENGTH = 5015
    NO_COMMON_SECURITY = 5017
    USER_UNKNOWN = 5030
    RATING_FAILED = 5031

    @property
    def is_of_protocol(self) -> bool:
        """Whether an answer with it has the E bit."""
        return 3000 <= self < 4000


def command_name(code: int, *, request: bool) -> str:
    """Return what people call a message: CCR, CEA; the number where it has no name."""
    return (
        f"{SHORT[code]}{'R' if request else 'A'}" if code in SHORT else f"{code}-{'request' if request else 'answer'}"
    )
