"""What a request must have, may have once, and may not have: RFC 6733 §5 to §9, RFC 8506 §3."""

from __future__ import annotations

from pipelines.mediation.diameter.codes import MANDATORY, Application, Command, Result
from pipelines.mediation.diameter.dictionary import NAMED, NUMBERED
from pipelines.mediation.diameter.fields import Group
from pipelines.mediation.diameter.messages import (
    DEPTH_MAX,
    Avp,
    Message,
    UnableToReadMessage,
    join_avps,
    split_avps,
)

_WHO = ("Origin-Host", "Origin-Realm")
NEEDED: dict[int, tuple[str, ...]] = {
    Command.CAPABILITIES_EXCHANGE: (*_WHO, "Host-IP-Address", "Vendor-Id", "Product-Name"),
    Command.DEVICE_WATCHDOG: _WHO,
    Command.DISCONNECT_PEER: (*_WHO, "Disconnect-Cause"),
    Command.CREDIT_CONTROL: (
        "Session-Id", *_WHO, "Destination-Realm", "Auth-Application-Id", "Service-Context-Id", "CC-Request-Type",
        "CC-Request-Number",
    ),
    Command.ACCOUNTING: (
        "Session-Id", *_WHO, "Destination-Realm", "Accounting-Record-Type", "Accounting-Record-Number",
    ),
    Command.RE_AUTH: ("Session-Id", *_WHO, "Destination-Realm", "Destination-Host", "Auth-Application-Id"),
    Command.ABORT_SESSION: ("Session-Id", *_WHO, "Destination-Realm", "Destination-Host", "Auth-Application-Id"),
}  # fmt: skip
"""AVPs without which a request is answered MISSING_AVP."""
_SEVERAL = frozenset({
    "Acct-Application-Id", "Auth-Application-Id", "Vendor-Specific-Application-Id", "Supported-Vendor-Id",
    "Host-IP-Address", "Inband-Security-Id", "Route-Record", "Proxy-Info", "Class",
})  # fmt: skip
ONCE = frozenset(
    (NAMED[name].vendor, NAMED[name].code)
    for name in {name for names in NEEDED.values() for name in names}
    | {"Destination-Host", "CC-Sub-Session-Id", "Event-Timestamp", "Origin-State-Id", "Service-Information",
       "Multiple-Services-Indicator", "Requested-Action", "Requested-Service-Unit", "Acct-Application-Id"}
    if name not in _SEVERAL
)  # fmt: skip
"""By vendor and code, AVPs that a request has once at most."""
SERVICE_INFORMATION = "Service-Information"
"""What lies in it describes usage, and is longer with each release of TS 32.299: what is not known there is passed over."""
APPLICATIONS: dict[int, int] = {
    Command.CAPABILITIES_EXCHANGE: Application.COMMON,
    Command.DEVICE_WATCHDOG: Application.COMMON,
    Command.DISCONNECT_PEER: Application.COMMON,
    Command.CREDIT_CONTROL: Application.CREDIT_CONTROL,
    Command.RE_AUTH: Application.CREDIT_CONTROL,
    Command.ABORT_SESSION: Application.CREDIT_CONTROL,
    Command.ACCOUNTING: Application.ACCOUNTING,
}
"""Whose messages commands are."""


def check_request(message: Message) -> Group:
    """Return the AVPs of a request that can be answered by what it says.

    Raises:
        UnableToReadMessage: with the result and the Failed-AVP that it is answered with.
    """
    group = Group(message.avps)
    try:
        if message.header.command not in APPLICATIONS:
            raise UnableToReadMessage(Result.COMMAND_UNSUPPORTED, f"command {message.header.command} is unknown")
        if message.header.application != APPLICATIONS[message.header.command]:
            raise UnableToReadMessage(
                Result.APPLICATION_UNSUPPORTED, f"application {message.header.application} is not served"
            )
        _refuse_unknown(message.avps, 0)
        counted: set[tuple[int, int]] = set()
        for avp in message.avps:
            number = (avp.vendor, avp.code)
            if number in ONCE and number in counted:
                name = NUMBERED[number].name
                raise UnableToReadMessage(
                    Result.AVP_OCCURS_TOO_MANY_TIMES, f"{name} comes more than once", failed=[avp]
                )
            counted.add(number)
        for name in NEEDED[message.header.command]:
            group.need(name)
    except UnableToReadMessage as error:
        error.header = message.header
        raise
    return group


def _refuse_unknown(avps: tuple[Avp, ...], depth: int) -> None:
    """Refuse AVPs with the M bit that the dictionary lacks; Failed-AVP has them in the groups in which they came."""
    for avp in avps:
        found = NUMBERED.get((avp.vendor, avp.code))
        if found is None:
            if avp.flags & MANDATORY:
                words = f"AVP {avp.code} of vendor {avp.vendor} is not known, and has the M bit"
                raise UnableToReadMessage(Result.AVP_UNSUPPORTED, words, failed=[avp])
            continue
        if found.kind != "grouped" or found.name == SERVICE_INFORMATION:
            continue
        if depth == DEPTH_MAX:
            raise UnableToReadMessage(Result.INVALID_AVP_VALUE, f"groups lie more than {DEPTH_MAX} deep", failed=[avp])
        try:
            _refuse_unknown(split_avps(avp.data), depth + 1)
        except UnableToReadMessage as error:
            error.failed = (avp._replace(data=join_avps(error.failed)),)
            raise
