"""AVPs of vendor 10415 for charging (TS 32.299 §7.2) and those of bearers that it carries (TS 29.061 §16.4.7, TS 29.212)."""

from __future__ import annotations

AVPS: dict[str, dict[str, int]] = {
    "octets": {
        "3GPP-CG-Address": 4, "3GPP-CG-IPv6-Address": 14, "3GPP-Charging-Id": 2, "3GPP-GGSN-Address": 7,
        "3GPP-GGSN-IPv6-Address": 16, "3GPP-IMEISV": 20, "3GPP-MS-TimeZone": 23, "3GPP-NSAPI": 10,
        "3GPP-RAT-Type": 21, "3GPP-SGSN-Address": 6, "3GPP-SGSN-IPv6-Address": 15, "3GPP-User-Location-Info": 22,
        "AF-Charging-Identifier": 505, "Access-Network-Charging-Identifier-Value": 503, "Charging-Rule-Name": 1005,
        "PS-Free-Format-Data": 866, "Refund-Information": 2022, "SM-Protocol-ID": 2013, "SM-Status": 2014,
        "SM-User-Data-Header": 2015,
    },
    "text": {
        "3GPP-Charging-Characteristics": 13, "3GPP-GGSN-MCC-MNC": 9, "3GPP-GPRS-Negotiated-QoS-Profile": 5,
        "3GPP-IMSI": 1, "3GPP-IMSI-MCC-MNC": 8, "3GPP-SGSN-MCC-MNC": 18, "3GPP-Selection-Mode": 12,
        "3GPP-Session-Stop-Indicator": 11, "Address-Data": 897, "Alternate-Charged-Party-Address": 1280,
        "Application-Provided-Called-Party-Address": 837, "Application-Server": 836,
        "Application-Service-Provider-Identity": 532, "Associated-Party-Address": 2035, "Associated-URI": 856,
        "Called-Party-Address": 832, "Calling-Party-Address": 831, "Carrier-Select-Routing-Information": 2023,
        "Charging-Rule-Base-Name": 1004, "Content-Disposition": 828, "Content-Type": 826, "Domain-Name": 1200,
        "Event": 825, "IMS-Charging-Identifier": 841,
        "IMS-Visited-Network-Identifier": 2713, "Incoming-Trunk-Group-ID": 852, "Message-ID": 1210,
        "Node-Id": 2064,
        "Number-Portability-Routing-Information": 2024, "Originating-IOI": 839, "Outgoing-Trunk-Group-ID": 853,
        "Requested-Party-Address": 1251, "SDP-Media-Description": 845, "SDP-Media-Name": 844,
        "SDP-Session-Description": 842, "SIP-Method": 824, "Service-Specific-Data": 863, "Sponsor-Identity": 531,
        "Terminating-IOI": 840, "User-Session-ID": 830,
    },
    "address": {
        "CG-Address": 846, "Client-Address": 2018, "GGSN-Address": 847, "Originator-SCCP-Address": 2008,
        "PDP-Address": 1227, "Recipient-SCCP-Address": 2010, "SGSN-Address": 1228, "SMSC-Address": 2017,
        "SGW-Address": 2067, "Served-Party-IP-Address": 848,
    },
    "time": {
        "Change-Time": 2038, "SIP-Request-Timestamp": 834, "SIP-Response-Timestamp": 835, "SM-Discharge-Time": 2012,
        "Start-Time": 2041, "Stop-Time": 2042, "Submission-Time": 1202, "Time-First-Usage": 2043,
        "Time-Last-Usage": 2044,
    },
    "u32": {
        "Base-Time-Interval": 1265, "Content-Length": 827, "Expires": 888, "Local-Sequence-Number": 2063,
        "Number-Of-Diversions": 2034, "Number-Of-Participants": 885, "Number-of-Messages-Sent": 2019,
        "PDN-Connection-Charging-ID": 2050,
        "Quota-Consumption-Time": 881, "Quota-Holding-Time": 871, "Time-Quota-Threshold": 868, "Time-Usage": 2045,
        "Unit-Quota-Threshold": 1226, "Volume-Quota-Threshold": 869,
    },
    "i32": {"Cause-Code": 861, "Change-Condition": 2037, "Diagnostics": 2039},
    "enumerated": {
        "3GPP-PDP-Type": 3, "Address-Type": 899, "Addressee-Type": 1208, "Dynamic-Address-Flag": 2051,
        "Envelope-Reporting": 1268,
        "Interface-Type": 2006, "Low-Balance-Indication": 2020, "Node-Functionality": 862, "PDP-Context-Type": 1247,
        "PS-Append-Free-Format-Data": 867, "QoS-Class-Identifier": 1028, "Reply-Path-Requested": 2011,
        "Reporting-Reason": 872, "Role-Of-Node": 829, "SDP-Type": 2036, "SM-Message-Type": 2007,
        "SM-Service-Type": 2029, "SMS-Node": 2016, "Service-Mode": 2032, "Serving-Node-Type": 2047,
        "Subscriber-Role": 2033, "Time-Quota-Type": 1271, "Trigger-Type": 870,
    },
    "grouped": {
        "AF-Correlation-Information": 1276, "Access-Network-Charging-Identifier": 502, "Address-Domain": 898,
        "Application-Server-Information": 850, "Destination-Interface": 2002, "Envelope": 1266, "Event-Type": 823,
        "IMS-Information": 876, "Inter-Operator-Identifier": 838, "MMS-Information": 877, "MMTel-Information": 2030,
        "Message-Body": 889, "Originator-Address": 886, "Originator-Interface": 2009,
        "Originator-Received-Address": 2027, "PS-Furnish-Charging-Information": 865, "PS-Information": 874,
        "QoS-Information": 1016, "Recipient-Address": 1201, "Recipient-Info": 2026,
        "Recipient-Received-Address": 2028, "Remaining-Balance": 2021, "SDP-Media-Component": 843,
        "SMS-Information": 2000, "Service-Data-Container": 2040, "Service-Information": 873,
        "Supplementary-Service": 2048, "Time-Quota-Mechanism": 1270, "Time-Stamps": 833, "Traffic-Data-Volumes": 2046,
        "Trigger": 1264, "Trunk-Group-ID": 851,
    },
}  # fmt: skip
"""Numbers by name, by how their values read."""

WORDS: dict[str, dict[int, str]] = {
    "Reporting-Reason": {
        0: "THRESHOLD", 1: "QHT", 2: "FINAL", 3: "QUOTA_EXHAUSTED", 4: "VALIDITY_TIME", 5: "OTHER_QUOTA_TYPE",
        6: "RATING_CONDITION_CHANGE", 7: "FORCED_REAUTHORISATION", 8: "POOL_EXHAUSTED",
    },
    "Role-Of-Node": {0: "ORIGINATING_ROLE", 1: "TERMINATING_ROLE", 2: "FORWARDING_ROLE"},
    "Node-Functionality": {
        0: "S-CSCF", 1: "P-CSCF", 2: "I-CSCF", 3: "MRFC", 4: "MGCF", 5: "BGCF", 6: "AS", 7: "IBCF", 8: "S-GW", 9: "P-GW",
        10: "HSGW", 11: "E-CSCF", 12: "MME",
    },
    "SM-Message-Type": {0: "SUBMISSION", 1: "DELIVERY_REPORT", 2: "SM_SERVICE_REQUEST"},
    "Low-Balance-Indication": {0: "NOT-APPLICABLE", 1: "YES"},
    "Serving-Node-Type": {0: "SGSN", 1: "PMIPSGW", 2: "GTPSGW", 3: "ePDG", 4: "hSGW", 5: "MME", 6: "TWAN"},
    "3GPP-PDP-Type": {0: "IPv4", 1: "PPP", 2: "IPv6", 3: "IPv4v6"},
}  # fmt: skip
"""What the numbers of enumerated AVPs mean."""
