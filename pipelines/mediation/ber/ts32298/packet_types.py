"""Types of packet domain records (3GPP TS 32.298 §5.1.2.2, §5.2.2.2)."""

from __future__ import annotations

from pipelines.mediation.ber.tags import Kind, ListOf, choice, sequence_of, structure, universal
from pipelines.mediation.ber.ts32298.common import (
    DIAGNOSTICS,
    GSN_ADDRESS,
    IP_ADDRESS,
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
TIMESTAMP = Kind.TIMESTAMP

EPC_QOS_INFORMATION = structure(
    {
        "qCI": (1, INTEGER),
        "maxRequestedBandwithUL": (2, INTEGER),
        "maxRequestedBandwithDL": (3, INTEGER),
        "guaranteedBitrateUL": (4, INTEGER),
        "guaranteedBitrateDL": (5, INTEGER),
        "aRP": (6, INTEGER),
        "aPNAggregateMaxBitrateUL": (7, INTEGER),
        "aPNAggregateMaxBitrateDL": (8, INTEGER),
        "extendedMaxRequestedBWUL": (9, INTEGER),
        "extendedMaxRequestedBWDL": (10, INTEGER),
        "extendedGBRUL": (11, INTEGER),
        "extendedGBRDL": (12, INTEGER),
        "extendedAPNAMBRUL": (13, INTEGER),
        "extendedAPNAMBRDL": (14, INTEGER),
    }
)

USER_CSG_INFORMATION = structure(
    {
        "cSGId": (0, OCTETS),
        "cSGAccessMode": (1, INTEGER),
        "cSGMembershipIndication": (2, NULL),
    }
)

ENHANCED_DIAGNOSTICS = structure(
    {
        "rANNASCause": (0, ListOf(universal(4), OCTETS)),
    }
)

WLAN_OPERATOR_ID = structure(
    {
        "wLANOperatorName": (0, OCTETS),
        "wLANPLMNId": (1, PLMN),
    }
)

UWAN_USER_LOCATION_INFO = structure(
    {
        "uELocalIPAddress": (0, IP_ADDRESS),
        "uDPSourcePort": (1, OCTETS),
        "sSID": (2, OCTETS),
        "bSSID": (3, OCTETS),
        "tCPSourcePort": (4, OCTETS),
        "civicAddressInformation": (5, OCTETS),
        "wLANOperatorId": (6, WLAN_OPERATOR_ID),
        "logicalAccessID": (7, OCTETS),
    }
)

RELATED_CHANGE_OF_CHAR_CONDITION = structure(
    {
        "changeCondition": (5, INTEGER),
        "changeTime": (6, TIMESTAMP),
        "userLocationInformation": (8, OCTETS),
        "presenceReportingAreaStatus": (11, INTEGER),
        "userCSGInformation": (12, USER_CSG_INFORMATION),
        "rATType": (15, INTEGER),
        "uWANUserLocationInformation": (17, UWAN_USER_LOCATION_INFO),
    }
)

SERVING_PLMN_RATE_CONTROL = structure(
    {
        "sPLMNDLRateControlValue": (0, INTEGER),
        "sPLMNULRateControlValue": (1, INTEGER),
    }
)

PRESENCE_REPORTING_AREA_INFO = structure(
    {
        "presenceReportingAreaIdentifier": (0, OCTETS),
        "presenceReportingAreaStatus": (1, INTEGER),
        "presenceReportingAreaElementsList": (2, OCTETS),
        "presenceReportingAreaNode": (3, BITS),
    }
)

APN_RATE_CONTROL_PARAMETERS = structure(
    {
        "additionalExceptionReports": (0, INTEGER),
        "rateControlTimeUnit": (1, INTEGER),
        "rateControlMaxRate": (2, INTEGER),
        "rateControlMaxMessageSize": (3, INTEGER),
    }
)

APN_RATE_CONTROL = structure(
    {
        "aPNRateControlUplink": (0, APN_RATE_CONTROL_PARAMETERS),
        "aPNRateControlDownlink": (1, APN_RATE_CONTROL_PARAMETERS),
    }
)

CHANGE_OF_CHAR_CONDITION = structure(
    {
        "qosRequested": (1, OCTETS),
        "qosNegotiated": (2, OCTETS),
        "dataVolumeGPRSUplink": (3, INTEGER),
        "dataVolumeGPRSDownlink": (4, INTEGER),
        "changeCondition": (5, INTEGER),
        "changeTime": (6, TIMESTAMP),
        "userLocationInformation": (8, OCTETS),
        "ePCQoSInformation": (9, EPC_QOS_INFORMATION),
        "chargingID": (10, INTEGER),
        "presenceReportingAreaStatus": (11, INTEGER),
        "userCSGInformation": (12, USER_CSG_INFORMATION),
        "diagnostics": (13, DIAGNOSTICS),
        "enhancedDiagnostics": (14, ENHANCED_DIAGNOSTICS),
        "rATType": (15, INTEGER),
        "accessAvailabilityChangeReason": (16, INTEGER),
        "uWANUserLocationInformation": (17, UWAN_USER_LOCATION_INFO),
        "relatedChangeOfCharCondition": (18, RELATED_CHANGE_OF_CHAR_CONDITION),
        "cPCIoTEPSOptimisationIndicator": (19, BOOLEAN),
        "servingPLMNRateControl": (20, SERVING_PLMN_RATE_CONTROL),
        "threeGPPPSDataOffStatus": (21, INTEGER),
        "listOfPresenceReportingAreaInformation": (22, sequence_of(PRESENCE_REPORTING_AREA_INFO)),
        "aPNRateControl": (23, APN_RATE_CONTROL),
    }
)

PS_FURNISH_CHARGING_INFORMATION = structure(
    {
        "pSFreeFormatData": (1, OCTETS),
        "pSFFDAppendIndicator": (2, BOOLEAN),
    }
)

FLOWS = structure(
    {
        "mediaComponentNumber": (1, INTEGER),
        "flowNumber": (2, ListOf(universal(2), INTEGER)),
    }
)

AF_RECORD_INFORMATION = structure(
    {
        "aFChargingIdentifier": (1, OCTETS),
        "flows": (2, FLOWS),
    }
)

EVENT_BASED_CHARGING_INFORMATION = structure(
    {
        "numberOfEvents": (1, INTEGER),
        "eventTimeStamps": (2, ListOf(universal(4), TIMESTAMP)),
    }
)

TIME_QUOTA_MECHANISM = structure(
    {
        "timeQuotaType": (1, INTEGER),
        "baseTimeInterval": (2, INTEGER),
    }
)

SERVICE_SPECIFIC_INFO = structure(
    {
        "serviceSpecificData": (0, STRING),
        "serviceSpecificType": (1, INTEGER),
    }
)

RELATED_CHANGE_OF_SERVICE_CONDITION = structure(
    {
        "userLocationInformation": (20, OCTETS),
        "threeGPP2UserLocationInformation": (24, OCTETS),
        "presenceReportingAreaStatus": (28, INTEGER),
        "userCSGInformation": (29, USER_CSG_INFORMATION),
        "rATType": (30, INTEGER),
        "uWANUserLocationInformation": (32, UWAN_USER_LOCATION_INFO),
        "relatedServiceConditionChange": (33, BITS),
    }
)

TWAN_USER_LOCATION_INFO = structure(
    {
        "sSID": (0, OCTETS),
        "bSSID": (1, OCTETS),
        "civicAddressInformation": (2, OCTETS),
        "wLANOperatorId": (3, WLAN_OPERATOR_ID),
        "logicalAccessID": (4, OCTETS),
    }
)

INVOLVED_PARTY = choice(
    {
        "sIP-URI": (0, STRING),
        "tEL-URI": (1, STRING),
        "uRN": (2, STRING),
        "iSDN-E164": (3, STRING),
        "externalId": (4, STRING),
    }
)

CALLEE_PARTY_INFORMATION = structure(
    {
        "called-Party-Address": (0, INVOLVED_PARTY),
        "requested-Party-Address": (1, INVOLVED_PARTY),
        "list-Of-Called-Asserted-Identity": (2, ListOf(None, INVOLVED_PARTY)),
    }
)

VOLTE_INFORMATION = structure(
    {
        "callerInformation": (0, ListOf(None, INVOLVED_PARTY)),
        "calleeInformation": (1, CALLEE_PARTY_INFORMATION),
    }
)

CHANGE_OF_SERVICE_CONDITION = structure(
    {
        "ratingGroup": (1, INTEGER),
        "chargingRuleBaseName": (2, STRING),
        "resultCode": (3, INTEGER),
        "localSequenceNumber": (4, INTEGER),
        "timeOfFirstUsage": (5, TIMESTAMP),
        "timeOfLastUsage": (6, TIMESTAMP),
        "timeUsage": (7, INTEGER),
        "serviceConditionChange": (8, BITS),
        "qoSInformationNeg": (9, EPC_QOS_INFORMATION),
        "servingNodeAddress": (10, GSN_ADDRESS),
        "datavolumeFBCUplink": (12, INTEGER),
        "datavolumeFBCDownlink": (13, INTEGER),
        "timeOfReport": (14, TIMESTAMP),
        "failureHandlingContinue": (16, BOOLEAN),
        "serviceIdentifier": (17, INTEGER),
        "pSFurnishChargingInformation": (18, PS_FURNISH_CHARGING_INFORMATION),
        "aFRecordInformation": (19, sequence_of(AF_RECORD_INFORMATION)),
        "userLocationInformation": (20, OCTETS),
        "eventBasedChargingInformation": (21, EVENT_BASED_CHARGING_INFORMATION),
        "timeQuotaMechanism": (22, TIME_QUOTA_MECHANISM),
        "serviceSpecificInfo": (23, sequence_of(SERVICE_SPECIFIC_INFO)),
        "threeGPP2UserLocationInformation": (24, OCTETS),
        "sponsorIdentity": (25, OCTETS),
        "applicationServiceProviderIdentity": (26, OCTETS),
        "aDCRuleBaseName": (27, STRING),
        "presenceReportingAreaStatus": (28, INTEGER),
        "userCSGInformation": (29, USER_CSG_INFORMATION),
        "rATType": (30, INTEGER),
        "uWANUserLocationInformation": (32, UWAN_USER_LOCATION_INFO),
        "relatedChangeOfServiceCondition": (33, RELATED_CHANGE_OF_SERVICE_CONDITION),
        "servingPLMNRateControl": (35, SERVING_PLMN_RATE_CONTROL),
        "aPNRateControl": (36, APN_RATE_CONTROL),
        "threeGPPPSDataOffStatus": (37, INTEGER),
        "trafficSteeringPolicyIDDownlink": (38, OCTETS),
        "trafficSteeringPolicyIDUplink": (39, OCTETS),
        "tWANUserLocationInformation": (40, TWAN_USER_LOCATION_INFO),
        "listOfPresenceReportingAreaInformation": (41, sequence_of(PRESENCE_REPORTING_AREA_INFO)),
        "voLTEInformation": (42, VOLTE_INFORMATION),
    }
)

MO_EXCEPTION_DATA_COUNTER = structure(
    {
        "counterValue": (0, INTEGER),
        "counterTimestamp": (1, TIMESTAMP),
    }
)

SCS_AS_ADDRESS = structure(
    {
        "sCSAddress": (1, IP_ADDRESS),
        "sCSRealm": (2, STRING),
    }
)

RAN_SECONDARY_RAT_USAGE_REPORT = structure(
    {
        "dataVolumeUplink": (1, INTEGER),
        "dataVolumeDownlink": (2, INTEGER),
        "rANStartTime": (3, TIMESTAMP),
        "rANEndTime": (4, TIMESTAMP),
        "secondaryRATType": (5, INTEGER),
        "chargingID": (6, INTEGER),
    }
)

CAMEL_INFORMATION_PDP = structure(
    {
        "sCFAddress": (1, ADDRESS),
        "serviceKey": (2, INTEGER),
        "defaultTransactionHandling": (3, INTEGER),
        "cAMELAccessPointNameNI": (4, STRING),
        "cAMELAccessPointNameOI": (5, STRING),
        "numberOfDPEncountered": (6, INTEGER),
        "levelOfCAMELService": (7, BITS),
        "freeFormatData": (8, OCTETS),
        "fFDAppendIndicator": (9, BOOLEAN),
    }
)

CAMEL_INFORMATION_SMS = structure(
    {
        "sCFAddress": (1, ADDRESS),
        "serviceKey": (2, INTEGER),
        "defaultSMSHandling": (3, INTEGER),
        "cAMELCallingPartyNumber": (4, ADDRESS),
        "cAMELDestinationSubscriberNumber": (5, SMS_ADDRESS),
        "cAMELSMSCAddress": (6, ADDRESS),
        "freeFormatData": (7, OCTETS),
        "smsReferenceNumber": (8, OCTETS),
    }
)
