"""Failures of the decode stage that concern a whole file or a whole source, not one record."""

from __future__ import annotations


class UnableToDecodeFile(Exception):
    """The file as a whole is not what its source promises; it is quarantined whole.

    Attributes:
        code: stable: WRONG_ENCODING, MALFORMED_HEADER, MISSING_COLUMN, DUPLICATE_COLUMN, MALFORMED_XML,
            MALFORMED_COLUMNS, BATCH_TOO_LARGE, PACKED_COLUMNS, WRONG_COLUMN_TYPE, PLUGIN_FAILED, MALFORMED_JSON,
            MALFORMED_BER, MALFORMED_PACKET, MALFORMED_METER_DATA,
            WRONG_FLOW, WRONG_UNIT, UNSUPPORTED_VERSION, TEST_FILE, TRAILER_MISMATCH,
            HEADER_MISMATCH, AUDIT_MISMATCH, AMOUNT_OVERFLOW or RECORD_TOO_LONG.
        message: what is wrong and where, in words.
    """

    def __init__(self, code: str, message: str) -> None:
        """Keep the code beside the message."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class UnableToCompileSource(ValueError):
    """The source definition contradicts itself, or names an event type, attribute or unit that does not fit."""
