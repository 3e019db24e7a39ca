"""Which records TS 32.298 knows, by name and by the tag with which they begin (GPRSRecord, CSRecord, SMSRecordType)."""

from __future__ import annotations

from pipelines.mediation.ber.tags import RecordKind, Structure, context
from pipelines.mediation.ber.ts32298.circuit import (
    INC_GATEWAY_RECORD,
    MO_CALL_RECORD,
    MO_SMS_IW_RECORD,
    MO_SMS_RECORD,
    MT_CALL_RECORD,
    MT_SMS_GW_RECORD,
    MT_SMS_RECORD,
    OUT_GATEWAY_RECORD,
    ROAMING_RECORD,
    TRANSIT_CALL_RECORD,
)
from pipelines.mediation.ber.ts32298.packet import (
    EPDG_RECORD,
    PGW_RECORD,
    SGSN_PDP_RECORD,
    SGSN_SMO_RECORD,
    SGSN_SMT_RECORD,
    SGW_RECORD,
    TWAG_RECORD,
)
from pipelines.mediation.ber.ts32298.short_message import SC_SMO_RECORD, SC_SMT_RECORD

PACKET: dict[str, tuple[int, Structure]] = {
    "sgsnPDPRecord": (20, SGSN_PDP_RECORD),
    "sgsnSMORecord": (23, SGSN_SMO_RECORD),
    "sgsnSMTRecord": (24, SGSN_SMT_RECORD),
    "sGWRecord": (78, SGW_RECORD),
    "pGWRecord": (79, PGW_RECORD),
    "ePDGRecord": (96, EPDG_RECORD),
    "tWAGRecord": (97, TWAG_RECORD),
}
CIRCUIT: dict[str, tuple[int, Structure]] = {
    "moCallRecord": (0, MO_CALL_RECORD),
    "mtCallRecord": (1, MT_CALL_RECORD),
    "roamingRecord": (2, ROAMING_RECORD),
    "incGatewayRecord": (3, INC_GATEWAY_RECORD),
    "outGatewayRecord": (4, OUT_GATEWAY_RECORD),
    "transitRecord": (5, TRANSIT_CALL_RECORD),
    "moSMSRecord": (6, MO_SMS_RECORD),
    "mtSMSRecord": (7, MT_SMS_RECORD),
    "moSMSIWRecord": (8, MO_SMS_IW_RECORD),
    "mtSMSGWRecord": (9, MT_SMS_GW_RECORD),
}
SHORT_MESSAGE: dict[str, tuple[int, Structure]] = {
    "sCSMORecord": (93, SC_SMO_RECORD),
    "sCSMTRecord": (94, SC_SMT_RECORD),
}
READABLE: dict[str, tuple[int, Structure]] = {**PACKET, **CIRCUIT, **SHORT_MESSAGE}
"""The records of which the tables have the fields."""

OTHERS: dict[str, int] = {
    "sgsnMMRecord": 22,
    "sgsnMTLCSRecord": 25,
    "sgsnMOLCSRecord": 26,
    "sgsnNILCSRecord": 27,
    "sgsnMBMSRecord": 76,
    "ggsnMBMSRecord": 77,
    "gwMBMSRecord": 86,
    "tDFRecord": 92,
    "iPERecord": 95,
    "ssActionRecord": 10,
    "hlrIntRecord": 11,
    "locUpdateHLRRecord": 12,
    "locUpdateVLRRecord": 13,
    "commonEquipRecord": 14,
    "termCAMELRecord": 16,
    "mtLCSRecord": 17,
    "moLCSRecord": 18,
    "niLCSRecord": 19,
    "mMTRFRecord": 21,
    "sCDVTT4Record": 110,
    "sCSMOT4Record": 111,
    "iSMSMORecord": 112,
    "iSMSMTRecord": 113,
}
"""Records that are known and always left out. The circuit domain's mSCsRVCCRecord [20] and iCSRegisterRecord [22] have the
tags of sgsnPDPRecord and sgsnMMRecord: where they occur, a source must not name sgsnPDPRecord."""


def record_kinds() -> dict[str, RecordKind]:
    """Return the records that a file may hold."""
    readable = {name: RecordKind(context(tag), members) for name, (tag, members) in READABLE.items()}
    return readable | {name: RecordKind(context(tag), Structure({})) for name, tag in OTHERS.items()}
