"""Records of short message service centres (3GPP TS 32.298 §5.1.4.4, §5.2.4.4)."""

from __future__ import annotations

from pipelines.mediation.ber.tags import Kind, choice, sequence_of, structure
from pipelines.mediation.ber.ts32298.common import (
    IP_ADDRESS,
    SMS_RESULT,
)

ADDRESS = Kind.ADDRESS
BOOLEAN = Kind.BOOLEAN
INTEGER = Kind.INTEGER
NULL = Kind.NULL
OCTETS = Kind.OCTETS
PLMN = Kind.PLMN
STRING = Kind.STRING
TBCD = Kind.TBCD
TIMESTAMP = Kind.TIMESTAMP
TIME_ZONE = Kind.TIME_ZONE

SM_ADDRESS_DOMAIN = structure(
    {
        "sMDomainName": (0, STRING),
        "threeGPPIMSI-MCC-MNC": (1, PLMN),
    }
)

SM_ADDRESS_INFO = structure(
    {
        "sMAddressType": (0, INTEGER),
        "sMAddressData": (1, STRING),
        "sMAddressDomain": (2, SM_ADDRESS_DOMAIN),
    }
)

SM_INTERFACE = structure(
    {
        "interfaceId": (0, STRING),
        "interfaceText": (1, STRING),
        "interfacePort": (2, STRING),
        "interfaceType": (3, INTEGER),
    }
)

ORIGINATOR_INFO = structure(
    {
        "originatorIMSI": (0, TBCD),
        "originatorMSISDN": (1, ADDRESS),
        "originatorOtherAddress": (2, SM_ADDRESS_INFO),
        "originatorSCCPAddress": (3, ADDRESS),
        "originatorReceivedAddress": (4, SM_ADDRESS_INFO),
        "sMOriginatorInterface": (5, SM_INTERFACE),
        "sMOriginatorProtocolID": (6, OCTETS),
        "originatorOtherAddresses": (7, sequence_of(SM_ADDRESS_INFO)),
    }
)

RECIPIENT_INFO = structure(
    {
        "recipientIMSI": (0, TBCD),
        "recipientMSISDN": (1, ADDRESS),
        "recipientOtherAddress": (2, SM_ADDRESS_INFO),
        "recipientSCCPAddress": (3, ADDRESS),
        "recipientReceivedAddress": (4, SM_ADDRESS_INFO),
        "sMDestinationInterface": (5, SM_INTERFACE),
        "sMRecipientProtocolID": (6, OCTETS),
        "recipientOtherAddresses": (7, sequence_of(SM_ADDRESS_INFO)),
    }
)

SC_SMO_RECORD = structure(
    {
        "sMSNodeAddress": (1, ADDRESS),
        "originatorInfo": (2, ORIGINATOR_INFO),
        "recipientInfo": (3, sequence_of(RECIPIENT_INFO)),
        "servedIMEI": (4, TBCD),
        "eventtimestamp": (5, TIMESTAMP),
        "messageReference": (6, OCTETS),
        "sMTotalNumber": (7, INTEGER),
        "sMSequenceNumber": (8, INTEGER),
        "messageSize": (9, INTEGER),
        "messageClass": (10, INTEGER),
        "sMdeliveryReportRequested": (11, BOOLEAN),
        "sMDataCodingScheme": (12, INTEGER),
        "sMMessageType": (13, INTEGER),
        "sMReplyPathRequested": (14, NULL),
        "sMUserDataHeader": (15, OCTETS),
        "userLocationInfo": (16, OCTETS),
        "rATType": (17, INTEGER),
        "uETimeZone": (18, TIME_ZONE),
        "sMSResult": (19, SMS_RESULT),
        "localSequenceNumber": (22, INTEGER),
    }
)

NODE_ADDRESS = choice(
    {
        "iPAddress": (0, IP_ADDRESS),
        "domainName": (1, STRING),
    }
)

SM_SERVING_NODE = structure(
    {
        "sGSNName": (0, STRING),
        "sGSNRealm": (1, STRING),
        "sGSNNumber": (2, ADDRESS),
        "mMEName": (3, STRING),
        "mMERealm": (4, STRING),
        "mMENumberForMTSMS": (5, ADDRESS),
        "mSCNumber": (6, ADDRESS),
        "iPSMGWNumber": (7, ADDRESS),
        "iPSMGWName": (8, STRING),
    }
)

SM_DEVICE_TRIGGER_INFORMATION = structure(
    {
        "mTCIWFAddress": (0, NODE_ADDRESS),
        "sMDTReferenceNumber": (1, INTEGER),
        "sMServingNode": (2, SM_SERVING_NODE),
        "sMDTValidityPeriod": (3, INTEGER),
        "sMDTPriorityIndication": (4, INTEGER),
        "sMSApplicationPortID": (5, INTEGER),
    }
)

SC_SMT_RECORD = structure(
    {
        "sMSNodeAddress": (1, ADDRESS),
        "recipientInfo": (2, RECIPIENT_INFO),
        "originatorInfo": (3, ORIGINATOR_INFO),
        "servedIMEI": (4, TBCD),
        "submissionTime": (5, TIMESTAMP),
        "eventtimestamp": (6, TIMESTAMP),
        "sMPriority": (7, INTEGER),
        "messageReference": (8, OCTETS),
        "sMTotalNumber": (9, INTEGER),
        "sMSequenceNumber": (10, INTEGER),
        "messageSize": (11, INTEGER),
        "messageClass": (12, INTEGER),
        "sMdeliveryReportRequested": (13, BOOLEAN),
        "sMDataCodingScheme": (14, INTEGER),
        "sMMessageType": (15, INTEGER),
        "sMReplyPathRequested": (16, NULL),
        "sMUserDataHeader": (17, OCTETS),
        "sMSStatus": (18, OCTETS),
        "sMDischargeTime": (19, TIMESTAMP),
        "userLocationInfo": (20, OCTETS),
        "rATType": (21, INTEGER),
        "uETimeZone": (22, TIME_ZONE),
        "sMSResult": (23, SMS_RESULT),
        "sMDeviceTriggerInformation": (25, SM_DEVICE_TRIGGER_INFORMATION),
        "localSequenceNumber": (26, INTEGER),
    }
)
