"""AVPs of the base protocol and of accounting (RFC 6733 §4.5, §9.8), and those of RADIUS that Diameter shares (RFC 7155)."""

from __future__ import annotations

AVPS: dict[str, dict[str, int]] = {
    "octets": {
        "Acct-Session-Id": 44, "Class": 25, "Delegated-IPv6-Prefix": 123, "Framed-IP-Address": 8,
        "Framed-IP-Netmask": 9, "Framed-IPv6-Prefix": 97, "NAS-IP-Address": 4, "NAS-IPv6-Address": 95,
        "Proxy-State": 33,
    },
    "text": {
        "Accounting-Multi-Session-Id": 50, "Called-Station-Id": 30, "Calling-Station-Id": 31, "Error-Message": 281,
        "Filter-Id": 11, "NAS-Identifier": 32, "NAS-Port-Id": 87, "Product-Name": 269, "Session-Id": 263,
        "User-Name": 1,
    },
    "identity": {
        "Destination-Host": 293, "Destination-Realm": 283, "Error-Reporting-Host": 294, "Origin-Host": 264,
        "Origin-Realm": 296, "Proxy-Host": 280, "Route-Record": 282,
    },
    "uri": {"Redirect-Host": 292},
    "address": {"Host-IP-Address": 257},
    "time": {"Event-Timestamp": 55},
    "u32": {
        "Accounting-Record-Number": 485, "Acct-Application-Id": 259, "Acct-Interim-Interval": 85,
        "Acct-Session-Time": 46, "Auth-Application-Id": 258, "Auth-Grace-Period": 276, "Authorization-Lifetime": 291,
        "Experimental-Result-Code": 298, "Firmware-Revision": 267, "Inband-Security-Id": 299,
        "Multi-Round-Time-Out": 272, "NAS-Port": 5, "Origin-State-Id": 278, "Redirect-Max-Cache-Time": 262,
        "Result-Code": 268, "Session-Binding": 270, "Session-Timeout": 27, "Supported-Vendor-Id": 265,
        "Vendor-Id": 266,
    },
    "u64": {
        "Accounting-Input-Octets": 363, "Accounting-Input-Packets": 365, "Accounting-Output-Octets": 364,
        "Accounting-Output-Packets": 366, "Accounting-Sub-Session-Id": 287, "Framed-Interface-Id": 96,
    },
    "enumerated": {
        "Accounting-Realtime-Required": 483, "Accounting-Record-Type": 480, "Auth-Request-Type": 274,
        "Auth-Session-State": 277, "Disconnect-Cause": 273, "NAS-Port-Type": 61, "Re-Auth-Request-Type": 285,
        "Redirect-Host-Usage": 261, "Service-Type": 6, "Session-Server-Failover": 271, "Termination-Cause": 295,
    },
    "grouped": {
        "E2E-Sequence": 300, "Experimental-Result": 297, "Failed-AVP": 279, "Proxy-Info": 284,
        "Vendor-Specific-Application-Id": 260,
    },
}  # fmt: skip
"""Numbers by name, by how their values read (`pipelines.mediation.diameter.values`)."""

WORDS: dict[str, dict[int, str]] = {
    "Accounting-Realtime-Required": {1: "DELIVER_AND_GRANT", 2: "GRANT_AND_STORE", 3: "GRANT_AND_LOSE"},
    "Accounting-Record-Type": {1: "EVENT_RECORD", 2: "START_RECORD", 3: "INTERIM_RECORD", 4: "STOP_RECORD"},
    "Auth-Request-Type": {1: "AUTHENTICATE_ONLY", 2: "AUTHORIZE_ONLY", 3: "AUTHORIZE_AUTHENTICATE"},
    "Auth-Session-State": {0: "STATE_MAINTAINED", 1: "NO_STATE_MAINTAINED"},
    "Disconnect-Cause": {0: "REBOOTING", 1: "BUSY", 2: "DO_NOT_WANT_TO_TALK_TO_YOU"},
    "Re-Auth-Request-Type": {0: "AUTHORIZE_ONLY", 1: "AUTHORIZE_AUTHENTICATE"},
    "Redirect-Host-Usage": {
        0: "DONT_CACHE", 1: "ALL_SESSION", 2: "ALL_REALM", 3: "REALM_AND_APPLICATION", 4: "ALL_APPLICATION", 5: "ALL_HOST",
        6: "ALL_USER",
    },
    "Session-Server-Failover": {0: "REFUSE_SERVICE", 1: "TRY_AGAIN", 2: "ALLOW_SERVICE", 3: "TRY_AGAIN_ALLOW_SERVICE"},
    "Termination-Cause": {
        1: "DIAMETER_LOGOUT", 2: "DIAMETER_SERVICE_NOT_PROVIDED", 3: "DIAMETER_BAD_ANSWER", 4: "DIAMETER_ADMINISTRATIVE",
        5: "DIAMETER_LINK_BROKEN", 6: "DIAMETER_AUTH_EXPIRED", 7: "DIAMETER_USER_MOVED", 8: "DIAMETER_SESSION_TIMEOUT",
    },
}  # fmt: skip
"""What the numbers of enumerated AVPs mean. RFC 6733 gives these; others may be added by anybody, and are no error."""
