"""AVPs of credit control (RFC 8506 §8)."""

from __future__ import annotations

AVPS: dict[str, dict[str, int]] = {
    "octets": {
        "CC-Correlation-Id": 411, "Service-Parameter-Value": 442, "User-Equipment-Info-EUI64": 656,
        "User-Equipment-Info-IMEI": 658, "User-Equipment-Info-IMEISV": 654, "User-Equipment-Info-MAC": 655,
        "User-Equipment-Info-ModifiedEUI64": 657, "User-Equipment-Info-Value": 460,
    },
    "text": {
        "Cost-Unit": 424, "Redirect-Address-SIP-URI": 668, "Redirect-Address-URL": 667,
        "Redirect-Server-Address": 435, "Service-Context-Id": 461, "Subscription-Id-Data": 444,
        "Subscription-Id-E164": 660, "Subscription-Id-IMSI": 661, "Subscription-Id-NAI": 663,
        "Subscription-Id-Private": 664, "Subscription-Id-SIP-URI": 662,
    },
    "rule": {"Restriction-Filter-Rule": 438},
    "address": {"Redirect-Address-IPAddress": 666},
    "time": {"Tariff-Time-Change": 451},
    "u32": {
        "CC-Request-Number": 415, "CC-Time": 420, "Currency-Code": 425, "G-S-U-Pool-Identifier": 453,
        "Rating-Group": 432, "Service-Identifier": 439, "Service-Parameter-Type": 441, "Validity-Time": 448,
    },
    "u64": {
        "CC-Input-Octets": 412, "CC-Output-Octets": 414, "CC-Service-Specific-Units": 417, "CC-Sub-Session-Id": 419,
        "CC-Total-Octets": 421,
    },
    "i32": {"Exponent": 429},
    "i64": {"Value-Digits": 447},
    "enumerated": {
        "CC-Request-Type": 416, "CC-Session-Failover": 418, "CC-Unit-Type": 454, "Check-Balance-Result": 422,
        "Credit-Control": 426, "Credit-Control-Failure-Handling": 427, "Direct-Debiting-Failure-Handling": 428,
        "Final-Unit-Action": 449, "Multiple-Services-Indicator": 455, "Redirect-Address-Type": 433,
        "Requested-Action": 436, "Subscription-Id-Type": 450, "Tariff-Change-Usage": 452,
        "User-Equipment-Info-Type": 459,
    },
    "grouped": {
        "CC-Money": 413, "Cost-Information": 423, "Final-Unit-Indication": 430, "G-S-U-Pool-Reference": 457,
        "Granted-Service-Unit": 431, "Multiple-Services-Credit-Control": 456, "QoS-Final-Unit-Indication": 669,
        "Redirect-Server": 434, "Redirect-Server-Extension": 665, "Requested-Service-Unit": 437,
        "Service-Parameter-Info": 440, "Subscription-Id": 443, "Subscription-Id-Extension": 659, "Unit-Value": 445,
        "Used-Service-Unit": 446, "User-Equipment-Info": 458, "User-Equipment-Info-Extension": 653,
    },
}  # fmt: skip
"""Numbers by name, by how their values read."""

WORDS: dict[str, dict[int, str]] = {
    "CC-Request-Type": {1: "INITIAL_REQUEST", 2: "UPDATE_REQUEST", 3: "TERMINATION_REQUEST", 4: "EVENT_REQUEST"},
    "CC-Session-Failover": {0: "FAILOVER_NOT_SUPPORTED", 1: "FAILOVER_SUPPORTED"},
    "CC-Unit-Type": {
        0: "TIME", 1: "MONEY", 2: "TOTAL-OCTETS", 3: "INPUT-OCTETS", 4: "OUTPUT-OCTETS", 5: "SERVICE-SPECIFIC-UNITS",
    },
    "Check-Balance-Result": {0: "ENOUGH_CREDIT", 1: "NO_CREDIT"},
    "Credit-Control": {0: "CREDIT_AUTHORIZATION", 1: "RE_AUTHORIZATION"},
    "Credit-Control-Failure-Handling": {0: "TERMINATE", 1: "CONTINUE", 2: "RETRY_AND_TERMINATE"},
    "Direct-Debiting-Failure-Handling": {0: "TERMINATE_OR_BUFFER", 1: "CONTINUE"},
    "Final-Unit-Action": {0: "TERMINATE", 1: "REDIRECT", 2: "RESTRICT_ACCESS"},
    "Multiple-Services-Indicator": {0: "MULTIPLE_SERVICES_NOT_SUPPORTED", 1: "MULTIPLE_SERVICES_SUPPORTED"},
    "Redirect-Address-Type": {0: "IPv4 Address", 1: "IPv6 Address", 2: "URL", 3: "SIP URI"},
    "Requested-Action": {0: "DIRECT_DEBITING", 1: "REFUND_ACCOUNT", 2: "CHECK_BALANCE", 3: "PRICE_ENQUIRY"},
    "Subscription-Id-Type": {
        0: "END_USER_E164", 1: "END_USER_IMSI", 2: "END_USER_SIP_URI", 3: "END_USER_NAI", 4: "END_USER_PRIVATE",
    },
    "Tariff-Change-Usage": {
        0: "UNIT_BEFORE_TARIFF_CHANGE", 1: "UNIT_AFTER_TARIFF_CHANGE", 2: "UNIT_INDETERMINATE",
    },
    "User-Equipment-Info-Type": {0: "IMEISV", 1: "MAC", 2: "EUI64", 3: "MODIFIED_EUI64"},
}  # fmt: skip
"""What the numbers of enumerated AVPs mean."""
