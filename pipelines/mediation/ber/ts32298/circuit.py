"""Records of the circuit domain (3GPP TS 32.298 §5.1.2.1, §5.2.2.1): MSC and gateway MSC."""

from __future__ import annotations

from pipelines.mediation.ber.tags import Kind, ListOf, choice, sequence_of, set_of, structure, universal
from pipelines.mediation.ber.ts32298.common import (
    DIAGNOSTICS,
    SMS_RESULT,
)

ADDRESS = Kind.ADDRESS
BITS = Kind.BITS
BOOLEAN = Kind.BOOLEAN
INTEGER = Kind.INTEGER
NULL = Kind.NULL
OCTETS = Kind.OCTETS
PLMN = Kind.PLMN
SMS_ADDRESS = Kind.SMS_ADDRESS
STRING = Kind.STRING
TBCD = Kind.TBCD
TIMESTAMP = Kind.TIMESTAMP

TRUNK_GROUP = choice(
    {
        "tkgpNumber": (0, INTEGER),
        "tkgpName": (1, STRING),
    }
)

LOCATION_AREA_AND_CELL = structure(
    {
        "locationAreaCode": (0, OCTETS),
        "cellId": (1, OCTETS),
        "mCC-MNC": (2, PLMN),
    }
)

LOCATION_CHANGE = structure(
    {
        "location": (0, LOCATION_AREA_AND_CELL),
        "changeTime": (1, TIMESTAMP),
    }
)

BASIC_SERVICE_CODE = choice(
    {
        "bearerService": (2, OCTETS),
        "teleservice": (3, OCTETS),
    }
)

CHANGE_OF_SERVICE = structure(
    {
        "basicService": (0, BASIC_SERVICE_CODE),
        "transparencyInd": (1, INTEGER),
        "changeTime": (2, TIMESTAMP),
        "rateIndication": (3, OCTETS),
        "fnur": (4, INTEGER),
    }
)

SUPP_SERVICE_USED = structure(
    {
        "ssCode": (0, OCTETS),
        "ssTime": (1, TIMESTAMP),
    }
)

AOC_PARAMETERS = structure(
    {
        "e1": (1, INTEGER),
        "e2": (2, INTEGER),
        "e3": (3, INTEGER),
        "e4": (4, INTEGER),
        "e5": (5, INTEGER),
        "e6": (6, INTEGER),
        "e7": (7, INTEGER),
    }
)

AOC_PARM_CHANGE = structure(
    {
        "changeTime": (0, TIMESTAMP),
        "newParameters": (1, AOC_PARAMETERS),
    }
)

CHANGE_OF_CLASSMARK = structure(
    {
        "classmark": (0, OCTETS),
        "changeTime": (1, TIMESTAMP),
    }
)

CHANGE_OF_RADIO_CHANNEL = structure(
    {
        "radioChannel": (0, INTEGER),
        "changeTime": (1, TIMESTAMP),
        "speechVersionUsed": (2, OCTETS),
    }
)

ADDITIONAL_CHG_INFO = structure(
    {
        "chargeIndicator": (0, INTEGER),
        "chargeParameters": (1, OCTETS),
    }
)

HSCSD_PARMS_CHANGE = structure(
    {
        "changeTime": (0, TIMESTAMP),
        "hSCSDChanAllocated": (1, INTEGER),
        "initiatingParty": (2, INTEGER),
        "aiurRequested": (3, INTEGER),
        "chanCodingUsed": (4, INTEGER),
        "hSCSDChanRequested": (5, INTEGER),
    }
)

CAMEL_MODIFICATION_PARAMETERS = structure(
    {
        "callingPartyNumber": (0, ADDRESS),
        "callingPartyCategory": (1, OCTETS),
        "originalCalledPartyNumber": (2, ADDRESS),
        "genericNumbers": (3, ListOf(universal(4), ADDRESS)),
        "redirectingPartyNumber": (4, ADDRESS),
        "redirectionCounter": (5, INTEGER),
    }
)

CHANGED_PARAMETERS = structure(
    {
        "changeFlags": (0, BITS),
        "changeList": (1, CAMEL_MODIFICATION_PARAMETERS),
    }
)

CAMEL_INFORMATION = structure(
    {
        "connectedNumber": (2, ADDRESS),
        "roamingNumber": (3, ADDRESS),
        "mscOutgoingTKGP": (4, TRUNK_GROUP),
        "seizureTime": (5, TIMESTAMP),
        "answerTime": (6, TIMESTAMP),
        "releaseTime": (7, TIMESTAMP),
        "callDuration": (8, INTEGER),
        "dataVolume": (9, INTEGER),
        "cAMELInitCFIndicator": (10, INTEGER),
        "causeForTerm": (11, INTEGER),
        "cAMELModification": (12, CHANGED_PARAMETERS),
        "freeFormatData": (13, OCTETS),
        "diagnostics": (14, DIAGNOSTICS),
        "freeFormatDataAppend": (15, BOOLEAN),
        "freeFormatData-2": (16, OCTETS),
        "freeFormatDataAppend-2": (17, BOOLEAN),
    }
)

MO_CALL_RECORD = structure(
    {
        "servedIMSI": (1, TBCD),
        "servedIMEI": (2, TBCD),
        "servedMSISDN": (3, ADDRESS),
        "callingNumber": (4, ADDRESS),
        "calledNumber": (5, ADDRESS),
        "translatedNumber": (6, ADDRESS),
        "connectedNumber": (7, ADDRESS),
        "roamingNumber": (8, ADDRESS),
        "recordingEntity": (9, ADDRESS),
        "mscIncomingTKGP": (10, TRUNK_GROUP),
        "mscOutgoingTKGP": (11, TRUNK_GROUP),
        "location": (12, LOCATION_AREA_AND_CELL),
        "changeOfLocation": (13, sequence_of(LOCATION_CHANGE)),
        "basicService": (14, BASIC_SERVICE_CODE),
        "transparencyIndicator": (15, INTEGER),
        "changeOfService": (16, sequence_of(CHANGE_OF_SERVICE)),
        "supplServicesUsed": (17, sequence_of(SUPP_SERVICE_USED)),
        "aocParameters": (18, AOC_PARAMETERS),
        "changeOfAOCParms": (19, sequence_of(AOC_PARM_CHANGE)),
        "msClassmark": (20, OCTETS),
        "changeOfClassmark": (21, CHANGE_OF_CLASSMARK),
        "seizureTime": (22, TIMESTAMP),
        "answerTime": (23, TIMESTAMP),
        "releaseTime": (24, TIMESTAMP),
        "callDuration": (25, INTEGER),
        "dataVolume": (26, INTEGER),
        "radioChanRequested": (27, INTEGER),
        "radioChanUsed": (28, INTEGER),
        "changeOfRadioChan": (29, CHANGE_OF_RADIO_CHANNEL),
        "causeForTerm": (30, INTEGER),
        "diagnostics": (31, DIAGNOSTICS),
        "callReference": (32, OCTETS),
        "sequenceNumber": (33, INTEGER),
        "additionalChgInfo": (34, ADDITIONAL_CHG_INFO),
        "gsm-SCFAddress": (36, ADDRESS),
        "serviceKey": (37, INTEGER),
        "networkCallReference": (38, OCTETS),
        "mSCAddress": (39, ADDRESS),
        "cAMELInitCFIndicator": (40, INTEGER),
        "defaultCallHandling": (41, INTEGER),
        "hSCSDChanRequested": (42, INTEGER),
        "hSCSDChanAllocated": (43, INTEGER),
        "changeOfHSCSDParms": (44, sequence_of(HSCSD_PARMS_CHANGE)),
        "fnur": (45, INTEGER),
        "aiurRequested": (46, INTEGER),
        "chanCodingsAcceptable": (47, ListOf(universal(10), INTEGER)),
        "chanCodingUsed": (48, INTEGER),
        "speechVersionSupported": (49, OCTETS),
        "speechVersionUsed": (50, OCTETS),
        "numberOfDPEncountered": (51, INTEGER),
        "levelOfCAMELService": (52, BITS),
        "freeFormatData": (53, OCTETS),
        "cAMELCallLegInformation": (54, set_of(CAMEL_INFORMATION)),
        "freeFormatDataAppend": (55, BOOLEAN),
        "defaultCallHandling-2": (56, INTEGER),
        "gsm-SCFAddress-2": (57, ADDRESS),
        "serviceKey-2": (58, INTEGER),
        "freeFormatData-2": (59, OCTETS),
        "freeFormatDataAppend-2": (60, BOOLEAN),
        "systemType": (61, INTEGER),
        "rateIndication": (62, OCTETS),
        "locationRoutNum": (63, OCTETS),
        "lrnSoInd": (64, INTEGER),
        "lrnQuryStatus": (65, INTEGER),
        "jIPPara": (66, OCTETS),
        "jIPSoInd": (67, INTEGER),
        "jIPQuryStatus": (68, INTEGER),
        "partialRecordType": (69, INTEGER),
        "guaranteedBitRate": (70, INTEGER),
        "maximumBitRate": (71, INTEGER),
        "redial": (72, BOOLEAN),
        "reasonForServiceChange": (73, INTEGER),
        "serviceChangeInitiator": (74, BOOLEAN),
        "iCSI2ActiveFlag": (75, NULL),
        "iMS-Charging-Identifier": (76, OCTETS),
        "privateUserID": (77, STRING),
    }
)

MT_CALL_RECORD = structure(
    {
        "servedIMSI": (1, TBCD),
        "servedIMEI": (2, TBCD),
        "servedMSISDN": (3, ADDRESS),
        "callingNumber": (4, ADDRESS),
        "connectedNumber": (5, ADDRESS),
        "recordingEntity": (6, ADDRESS),
        "mscIncomingTKGP": (7, TRUNK_GROUP),
        "mscOutgoingTKGP": (8, TRUNK_GROUP),
        "location": (9, LOCATION_AREA_AND_CELL),
        "changeOfLocation": (10, sequence_of(LOCATION_CHANGE)),
        "basicService": (11, BASIC_SERVICE_CODE),
        "transparencyIndicator": (12, INTEGER),
        "changeOfService": (13, sequence_of(CHANGE_OF_SERVICE)),
        "supplServicesUsed": (14, sequence_of(SUPP_SERVICE_USED)),
        "aocParameters": (15, AOC_PARAMETERS),
        "changeOfAOCParms": (16, sequence_of(AOC_PARM_CHANGE)),
        "msClassmark": (17, OCTETS),
        "changeOfClassmark": (18, CHANGE_OF_CLASSMARK),
        "seizureTime": (19, TIMESTAMP),
        "answerTime": (20, TIMESTAMP),
        "releaseTime": (21, TIMESTAMP),
        "callDuration": (22, INTEGER),
        "dataVolume": (23, INTEGER),
        "radioChanRequested": (24, INTEGER),
        "radioChanUsed": (25, INTEGER),
        "changeOfRadioChan": (26, CHANGE_OF_RADIO_CHANNEL),
        "causeForTerm": (27, INTEGER),
        "diagnostics": (28, DIAGNOSTICS),
        "callReference": (29, OCTETS),
        "sequenceNumber": (30, INTEGER),
        "additionalChgInfo": (31, ADDITIONAL_CHG_INFO),
        "networkCallReference": (33, OCTETS),
        "mSCAddress": (34, ADDRESS),
        "hSCSDChanRequested": (35, INTEGER),
        "hSCSDChanAllocated": (36, INTEGER),
        "changeOfHSCSDParms": (37, sequence_of(HSCSD_PARMS_CHANGE)),
        "fnur": (38, INTEGER),
        "aiurRequested": (39, INTEGER),
        "chanCodingsAcceptable": (40, ListOf(universal(10), INTEGER)),
        "chanCodingUsed": (41, INTEGER),
        "speechVersionSupported": (42, OCTETS),
        "speechVersionUsed": (43, OCTETS),
        "gsm-SCFAddress": (44, ADDRESS),
        "serviceKey": (45, INTEGER),
        "systemType": (46, INTEGER),
        "rateIndication": (47, OCTETS),
        "locationRoutNum": (48, OCTETS),
        "lrnSoInd": (49, INTEGER),
        "lrnQuryStatus": (50, INTEGER),
        "jIPPara": (51, OCTETS),
        "jIPSoInd": (52, INTEGER),
        "jIPQuryStatus": (53, INTEGER),
        "partialRecordType": (54, INTEGER),
        "guaranteedBitRate": (55, INTEGER),
        "maximumBitRate": (56, INTEGER),
        "reasonForServiceChange": (57, INTEGER),
        "serviceChangeInitiator": (58, BOOLEAN),
        "iCSI2ActiveFlag": (59, NULL),
        "iMS-Charging-Identifier": (60, OCTETS),
        "privateUserID": (61, STRING),
    }
)

ROAMING_RECORD = structure(
    {
        "servedIMSI": (1, TBCD),
        "servedMSISDN": (2, ADDRESS),
        "callingNumber": (3, ADDRESS),
        "roamingNumber": (4, ADDRESS),
        "recordingEntity": (5, ADDRESS),
        "mscIncomingTKGP": (6, TRUNK_GROUP),
        "mscOutgoingTKGP": (7, TRUNK_GROUP),
        "basicService": (8, BASIC_SERVICE_CODE),
        "transparencyIndicator": (9, INTEGER),
        "changeOfService": (10, sequence_of(CHANGE_OF_SERVICE)),
        "supplServicesUsed": (11, sequence_of(SUPP_SERVICE_USED)),
        "seizureTime": (12, TIMESTAMP),
        "answerTime": (13, TIMESTAMP),
        "releaseTime": (14, TIMESTAMP),
        "callDuration": (15, INTEGER),
        "dataVolume": (16, INTEGER),
        "causeForTerm": (17, INTEGER),
        "diagnostics": (18, DIAGNOSTICS),
        "callReference": (19, OCTETS),
        "sequenceNumber": (20, INTEGER),
        "networkCallReference": (22, OCTETS),
        "mSCAddress": (23, ADDRESS),
        "locationRoutNum": (24, OCTETS),
        "lrnSoInd": (25, INTEGER),
        "lrnQuryStatus": (26, INTEGER),
        "jIPPara": (27, OCTETS),
        "jIPSoInd": (28, INTEGER),
        "jIPQuryStatus": (29, INTEGER),
        "partialRecordType": (30, INTEGER),
    }
)

INC_GATEWAY_RECORD = structure(
    {
        "callingNumber": (1, ADDRESS),
        "calledNumber": (2, ADDRESS),
        "recordingEntity": (3, ADDRESS),
        "mscIncomingTKGP": (4, TRUNK_GROUP),
        "mscOutgoingTKGP": (5, TRUNK_GROUP),
        "seizureTime": (6, TIMESTAMP),
        "answerTime": (7, TIMESTAMP),
        "releaseTime": (8, TIMESTAMP),
        "callDuration": (9, INTEGER),
        "dataVolume": (10, INTEGER),
        "causeForTerm": (11, INTEGER),
        "diagnostics": (12, DIAGNOSTICS),
        "callReference": (13, OCTETS),
        "sequenceNumber": (14, INTEGER),
        "locationRoutNum": (16, OCTETS),
        "lrnSoInd": (17, INTEGER),
        "lrnQuryStatus": (18, INTEGER),
        "jIPPara": (19, OCTETS),
        "jIPSoInd": (20, INTEGER),
        "jIPQuryStatus": (21, INTEGER),
        "reasonForServiceChange": (22, INTEGER),
        "serviceChangeInitiator": (23, BOOLEAN),
    }
)

OUT_GATEWAY_RECORD = structure(
    {
        "callingNumber": (1, ADDRESS),
        "calledNumber": (2, ADDRESS),
        "recordingEntity": (3, ADDRESS),
        "mscIncomingTKGP": (4, TRUNK_GROUP),
        "mscOutgoingTKGP": (5, TRUNK_GROUP),
        "seizureTime": (6, TIMESTAMP),
        "answerTime": (7, TIMESTAMP),
        "releaseTime": (8, TIMESTAMP),
        "callDuration": (9, INTEGER),
        "dataVolume": (10, INTEGER),
        "causeForTerm": (11, INTEGER),
        "diagnostics": (12, DIAGNOSTICS),
        "callReference": (13, OCTETS),
        "sequenceNumber": (14, INTEGER),
        "locationRoutNum": (16, OCTETS),
        "lrnSoInd": (17, INTEGER),
        "lrnQuryStatus": (18, INTEGER),
        "jIPPara": (19, OCTETS),
        "jIPSoInd": (20, INTEGER),
        "jIPQuryStatus": (21, INTEGER),
        "reasonForServiceChange": (22, INTEGER),
        "serviceChangeInitiator": (23, BOOLEAN),
    }
)

TRANSIT_CALL_RECORD = structure(
    {
        "recordingEntity": (1, ADDRESS),
        "mscIncomingTKGP": (2, TRUNK_GROUP),
        "mscOutgoingTKGP": (3, TRUNK_GROUP),
        "callingNumber": (4, ADDRESS),
        "calledNumber": (5, ADDRESS),
        "isdnBasicService": (6, INTEGER),
        "seizureTimestamp": (7, TIMESTAMP),
        "answerTimestamp": (8, TIMESTAMP),
        "releaseTimestamp": (9, TIMESTAMP),
        "callDuration": (10, INTEGER),
        "dataVolume": (11, INTEGER),
        "causeForTerm": (12, INTEGER),
        "diagnostics": (13, DIAGNOSTICS),
        "callReference": (14, OCTETS),
        "sequenceNumber": (15, INTEGER),
        "locationRoutNum": (17, OCTETS),
        "lrnSoInd": (18, INTEGER),
        "lrnQuryStatus": (19, INTEGER),
        "jIPPara": (20, OCTETS),
        "jIPSoInd": (21, INTEGER),
        "jIPQuryStatus": (22, INTEGER),
    }
)

CAMEL_SMS_INFORMATION = structure(
    {
        "gsm-SCFAddress": (1, ADDRESS),
        "serviceKey": (2, INTEGER),
        "defaultSMSHandling": (3, INTEGER),
        "freeFormatData": (4, OCTETS),
        "callingPartyNumber": (5, ADDRESS),
        "destinationSubscriberNumber": (6, SMS_ADDRESS),
        "cAMELSMSCAddress": (7, ADDRESS),
        "smsReferenceNumber": (8, OCTETS),
    }
)

MO_SMS_RECORD = structure(
    {
        "servedIMSI": (1, TBCD),
        "servedIMEI": (2, TBCD),
        "servedMSISDN": (3, ADDRESS),
        "msClassmark": (4, OCTETS),
        "serviceCentre": (5, ADDRESS),
        "recordingEntity": (6, ADDRESS),
        "location": (7, LOCATION_AREA_AND_CELL),
        "messageReference": (8, OCTETS),
        "originationTime": (9, TIMESTAMP),
        "smsResult": (10, SMS_RESULT),
        "destinationNumber": (12, SMS_ADDRESS),
        "cAMELSMSInformation": (13, CAMEL_SMS_INFORMATION),
        "systemType": (14, INTEGER),
        "locationExtension": (15, BITS),
    }
)

MT_SMS_RECORD = structure(
    {
        "serviceCentre": (1, ADDRESS),
        "servedIMSI": (2, TBCD),
        "servedIMEI": (3, TBCD),
        "servedMSISDN": (4, ADDRESS),
        "msClassmark": (5, OCTETS),
        "recordingEntity": (6, ADDRESS),
        "location": (7, LOCATION_AREA_AND_CELL),
        "deliveryTime": (8, TIMESTAMP),
        "smsResult": (9, SMS_RESULT),
        "systemType": (11, INTEGER),
        "cAMELSMSInformation": (12, CAMEL_SMS_INFORMATION),
        "locationExtension": (13, BITS),
    }
)

MO_SMS_IW_RECORD = structure(
    {
        "serviceCentre": (1, ADDRESS),
        "servedIMSI": (2, TBCD),
        "recordingEntity": (3, ADDRESS),
        "eventTime": (4, TIMESTAMP),
        "smsResult": (5, SMS_RESULT),
    }
)

MT_SMS_GW_RECORD = structure(
    {
        "serviceCentre": (1, ADDRESS),
        "servedIMSI": (2, TBCD),
        "servedMSISDN": (3, ADDRESS),
        "recordingEntity": (4, ADDRESS),
        "eventTime": (5, TIMESTAMP),
        "smsResult": (6, SMS_RESULT),
    }
)
