"""The elements of TAP 3.12 by name: application tags, how their values read, and which hold others.

A table of our own of numbers and names (GSMA TD.57 is not public and no text of it is used). An element has one tag wherever it
stands, so a table of tags is enough to read an event.
"""

from __future__ import annotations

import numpy as np

from pipelines.mediation.kernels.ber_text import BCD, INTEGER, OCTETS, STRING
from pipelines.mediation.kernels.tap import TIME
from schemas.arrays import UInt8Array

TRANSFER_BATCH = 1
NOTIFICATION = 2
CALL_EVENT_DETAILS = 3
BATCH_CONTROL_INFO = 4
ACCOUNTING_INFO = 5
NETWORK_INFO = 6
AUDIT_CONTROL_INFO = 15
RETURN_BATCH = 534
ACKNOWLEDGEMENT = 535
NRTRDE_SPECIFICATION = 41
"""The tag of the first element of an NRTRDE file, whose outermost tag is that of a TAP file."""

EVENTS = {
    "mobileOriginatedCall": 9, "mobileTerminatedCall": 10, "supplServiceEvent": 11, "serviceCentreUsage": 12, "gprsCall": 14,
    "contentTransaction": 17, "locationService": 297, "messagingEvent": 433, "mobileSession": 434,
}  # fmt: skip

_VALUES: dict[int, dict[str, int]] = {
    BCD: {
        "imei": 128, "imsi": 129, "msisdn": 152, "thirdPartyNumber": 403, "camelDestinationNumber": 404,
        "callingNumber": 405, "calledNumber": 407, "nonChargedPartyNumber": 444, "requestedNumber": 451,
    },
    STRING: {
        "localTimeStamp": 16, "bearerServiceCode": 40, "calledPlace": 42, "calledRegion": 46, "chargedItem": 66,
        "chargeType": 71, "chargingPoint": 73, "destinationNetwork": 90, "distanceChargeBandCode": 98, "esn": 103,
        "fileSequenceNumber": 109, "fileTypeIndicator": 110, "homeBid": 122, "localCurrency": 135,
        "messageDescription": 142, "min": 146, "operatorSpecInformation": 163, "originatingNetwork": 164,
        "partialTypeIndicator": 166, "pdpAddress": 167, "rapFileSequenceNumber": 181, "recipient": 182,
        "servingNetwork": 195, "sender": 196, "servingBid": 198, "simToolkitIndicator": 200, "ssParameters": 204,
        "supplServiceCode": 209, "tapCurrency": 210, "taxRate": 215, "taxType": 217, "teleServiceCode": 218,
        "utcTimeOffset": 231, "mdn": 253, "accessPointNameNI": 261, "accessPointNameOI": 262, "dialledDigits": 279,
        "chargedPartyIdentifier": 287, "homeIdentifier": 288, "locationIdentifier": 289, "equipmentId": 290,
        "contentProviderIdentifier": 292, "ispIdentifier": 294, "networkIdentifier": 295, "contentProviderName": 334,
        "transactionDetailDescription": 339, "transactionShortDescription": 340, "transactionIdentifier": 341,
        "transactionAuthCode": 342, "advisedChargeCurrency": 348, "customerIdentifier": 364, "recEntityId": 400,
        "nonChargedNumber": 402, "homeLocationDescription": 413, "servingLocationDescription": 414,
        "networkAccessIdentifier": 417, "sMSDestinationNumber": 419, "hSCSDIndicator": 424, "sMSOriginator": 425,
        "taxIndicator": 432, "eventReference": 435, "elementId": 437, "nonChargedPublicUserId": 445,
        "publicUserId": 446, "requestedPublicUserId": 452,
    },
    INTEGER: {
        "callEventDetailsCount": 43, "camelServiceKey": 55, "camelServiceLevel": 56, "causeForTerm": 58,
        "cellId": 59, "charge": 62, "chargeableUnits": 65, "chargedPartyStatus": 67, "chargedUnits": 68,
        "chargingId": 72, "clirIndicator": 75, "defaultCallHandling": 87, "discountCode": 91, "discountRate": 92,
        "exchangeRate": 104, "exchangeRateCode": 105, "fnur": 111, "locationArea": 136,
        "messageDescriptionCode": 141, "messageStatus": 144, "messageType": 145, "numberOfDecimalPlaces": 159,
        "priorityCode": 170, "recEntityCode": 184, "recEntityType": 186, "releaseVersionNumber": 189,
        "specificationVersionNumber": 201, "supplServiceActionCode": 208, "taxCode": 212,
        "totalCallEventDuration": 223, "totalDiscountValue": 225, "totalTaxValue": 226, "transparencyIndicator": 228,
        "utcTimeOffsetCode": 232, "tapDecimalPlaces": 244, "networkInitPDPContext": 245, "dataVolumeIncoming": 250,
        "dataVolumeOutgoing": 251, "callTypeLevel2": 255, "callTypeLevel3": 256, "callTypeLevel1": 259,
        "userProtocolIndicator": 280, "objectType": 281, "contentProviderIdType": 291, "ispIdType": 293,
        "transactionStatus": 303, "chargedPartyIdType": 305, "homeIdType": 311, "locationIdType": 315,
        "equipmentIdType": 322, "networkIdType": 331, "contentTransactionCode": 336, "contentTransactionType": 337,
        "transactionDescriptionSupp": 338, "totalDataVolume": 343, "chargeRefundIndicator": 344,
        "contentChargingPoint": 345, "paidIndicator": 346, "paymentMethod": 347, "advisedCharge": 349,
        "commission": 350, "totalTaxRefund": 353, "totalDiscountRefund": 354, "totalChargeRefund": 355,
        "totalAdvisedCharge": 356, "totalAdvisedChargeRefund": 357, "totalCommission": 358,
        "totalCommissionRefund": 359, "customerIdType": 363, "horizontalAccuracyRequested": 385,
        "verticalAccuracyRequested": 386, "responseTimeCategory": 387, "trackingPeriod": 388,
        "trackingFrequency": 389, "lCSTransactionStatus": 391, "horizontalAccuracyDelivered": 392,
        "verticalAccuracyDelivered": 393, "responseTime": 394, "positioningMethod": 395, "ageOfLocation": 396,
        "taxValue": 397, "taxableAmount": 398, "fixedDiscountValue": 411, "discount": 412, "totalCharge": 415,
        "totalTransactionDuration": 416, "iMSSignallingContext": 418, "camelInvocationFee": 422,
        "discountableAmount": 423, "elementType": 438, "messagingEventService": 439, "mobileSessionService": 440,
    },
    OCTETS: {
        "callReference": 45, "cseInformation": 79, "guaranteedBitRate": 420, "maximumBitRate": 421,
    },
}  # fmt: skip
VALUES: dict[str, tuple[int, int]] = {
    name: (number, kind) for kind, names in _VALUES.items() for name, number in names.items()
}
"""Name of each element that holds a value: its tag, and how it reads (`pipelines.mediation.kernels.ber_text`)."""

TIMES = {
    "callEventStartTimeStamp": 44, "chargingTimeStamp": 74, "completionTimeStamp": 76, "depositTimeStamp": 88,
    "pDPContextStartTimestamp": 260, "orderPlacedTimeStamp": 300, "requestedDeliveryTimeStamp": 301,
    "actualDeliveryTimeStamp": 302, "lCSRequestTimestamp": 384, "chargeDetailTimeStamp": 410,
    "serviceStartTimestamp": 447,
}  # fmt: skip
"""Elements that are a local time and the code of its offset from UTC."""

_STRUCTURES = (
    1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 14, 15, 17, 36, 37, 38, 39, 41, 44, 57, 63, 64, 69, 70, 74, 76, 80, 88, 89,
    94, 95, 96, 101, 106, 107, 108, 113, 114, 115, 116, 117, 118, 121, 123, 133, 138, 143, 147, 153, 156, 162, 183,
    185, 188, 191, 192, 193, 199, 206, 211, 213, 214, 216, 219, 227, 233, 234, 254, 258, 260, 285, 286, 297, 298,
    299, 300, 301, 302, 304, 309, 310, 313, 314, 320, 321, 323, 324, 327, 328, 329, 330, 332, 333, 335, 351, 352,
    360, 361, 362, 365, 366, 367, 368, 369, 370, 371, 372, 373, 374, 375, 376, 377, 378, 379, 380, 381, 382, 383,
    384, 390, 410, 426, 427, 428, 429, 430, 431, 433, 434, 436, 441, 442, 443, 447, 448, 449, 450,
)  # fmt: skip
TAG_COUNT = 512

UNKNOWN, STRUCTURE, VALUE = range(3)


def tag_shapes() -> UInt8Array:
    """Return (TAG_COUNT,) whether the element of each tag holds others, a value, or is not known."""
    shapes = np.zeros(TAG_COUNT, np.uint8)
    shapes[list(_STRUCTURES)] = STRUCTURE
    shapes[[number for number, _ in VALUES.values()]] = VALUE
    return shapes


def kind_of(name: str) -> tuple[int, int] | None:
    """Return (tag, kind) of the element that a field names, None when there is none."""
    return (TIMES[name], TIME) if name in TIMES else VALUES.get(name)
