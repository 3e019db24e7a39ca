"""What requests of online charging say, in words."""

from __future__ import annotations

import pytest

from apps.embedded.charging_requests import UnableToRequest
from apps.embedded.charging_words import _value
from schemas.price_plan import ValueType


@pytest.mark.parametrize("text", ["1E+999999", "1E-999999", "1E+400000", "NaN", "sNaN", "Infinity", "one", ""])
def test_a_number_that_no_value_can_be_is_refused(text: str) -> None:
    with pytest.raises(UnableToRequest, match="is no number"):
        _value(ValueType(type="number", decimals=2), "weight", text)
