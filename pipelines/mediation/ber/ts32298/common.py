"""Types of TS 32.298 that records of several domains share (§5.1.1, §5.2.2.1)."""

from __future__ import annotations

from pipelines.mediation.ber.tags import Kind, Structure, choice, structure, universal

INTEGER = Kind.INTEGER
IP = Kind.IP
STRING = Kind.STRING

IP_V6_ADDRESS_WITH_PREFIX = Structure(
    {"pDPAddressPrefixLength": (universal(2), INTEGER), "iPBinV6Address": (universal(4), IP)}, main="iPBinV6Address"
)

IP_V6_ADDRESS = choice(
    {
        "iPBinV6Address": (1, IP),
        "iPBinV6AddressWithPrefix": (4, IP_V6_ADDRESS_WITH_PREFIX),
    }
)

IP_BINARY_ADDRESS = choice(
    {
        "iPBinV4Address": (0, IP),
        "iPBinV6Address": (None, IP_V6_ADDRESS),
    }
)

IP_TEXT_REPRESENTED_ADDRESS = choice(
    {
        "iPTextV4Address": (2, STRING),
        "iPTextV6Address": (3, STRING),
    }
)

GSN_ADDRESS = choice(
    {
        "iPBinaryAddress": (None, IP_BINARY_ADDRESS),
        "iPTextRepresentedAddress": (None, IP_TEXT_REPRESENTED_ADDRESS),
    }
)

IP_ADDRESS = choice(
    {
        "iPBinaryAddress": (None, IP_BINARY_ADDRESS),
        "iPTextRepresentedAddress": (None, IP_TEXT_REPRESENTED_ADDRESS),
    }
)

PDP_ADDRESS = choice(
    {
        "iPAddress": (0, IP_ADDRESS),
    }
)

DIAGNOSTICS = choice(
    {
        "gsm0408Cause": (0, INTEGER),
        "gsm0902MapErrorValue": (1, INTEGER),
        "itu-tQ767Cause": (2, INTEGER),
        "positionMethodFailureCause": (5, INTEGER),
        "unauthorizedLCSClientCause": (6, INTEGER),
        "diameterResultCodeAndExperimentalResult": (7, INTEGER),
    }
)

SUBSCRIPTION_ID = structure(
    {
        "subscriptionIDType": (0, INTEGER),
        "subscriptionIDData": (1, STRING),
    }
)

SMS_RESULT = choice(
    {
        "gsm0408Cause": (0, INTEGER),
        "gsm0902MapErrorValue": (1, INTEGER),
        "itu-tQ767Cause": (2, INTEGER),
        "positionMethodFailureCause": (5, INTEGER),
        "unauthorizedLCSClientCause": (6, INTEGER),
        "diameterResultCodeAndExperimentalResult": (7, INTEGER),
    }
)
