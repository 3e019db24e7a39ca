"""Requests for credit that are read many at once are read as one by one, whatever is damaged; answers are encoded the same."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from diameter_mutations import damage, disagreement, draw_request
from diameter_world import asked
from hypothesis import given
from hypothesis import strategies as st

from apps.diameter.answers import Decided, credit_answer, encode_credit
from apps.diameter.credit import Part, Units, read_credit
from apps.diameter.plain import PlainCredits
from apps.diameter.services import FOUND_MAX, Service
from pipelines.mediation.diameter.codes import Result
from pipelines.mediation.diameter.credit_columns import read_credit_columns
from pipelines.mediation.diameter.fields import Group, write_all
from pipelines.mediation.diameter.grammar import ONCE
from pipelines.mediation.diameter.messages import Header, Message, encode_message, join_avps
from pipelines.mediation.kernels.diameter_credit import COUNT, PARTS_MAX
from schemas.charging_service import ChargingService

PLAIN = PlainCredits("ocs.test", frozenset({"test"}))
DAMAGED = 4_000
HEADER = Header(0xC0, 272, 4, 1, 1)


@given(st.integers(0, 2**32))
def test_ordinary_requests_are_read_alike_and_all_at_once(seed: int) -> None:
    chance = random.Random(seed)
    messages = [draw_request(chance) for _ in range(chance.randrange(1, 6))]
    assert [disagreement(data, PLAIN) for data in messages] == [""] * len(messages)
    together = PLAIN.read(messages, 1 << 18)
    assert together == [PLAIN.read([data], 1 << 18)[0] for data in messages]


def test_damaged_requests_are_read_alike_or_left_to_the_other_reader() -> None:
    chance, seen = random.Random(12), Counter[str]()
    for _ in range(DAMAGED):
        data = draw_request(chance)
        for _ in range(chance.choice([1, 1, 2])):
            try:
                data = damage(data, chance)
            except Exception:
                break  # what is damaged already cannot be taken apart for more
        seen[disagreement(data, PLAIN)] += 1
    assert seen.keys() == {"", "odd"}, next(words for words in seen if words not in ("", "odd"))
    assert min(seen.values()) > DAMAGED // 10


def test_what_is_not_plain() -> None:
    def read(said: dict[str, Any], header: Header = HEADER) -> bool:
        return PLAIN.read([encode_message(Message(header, tuple(write_all(said))))], 1 << 18)[0] is not None

    said = asked(type=1)
    assert read(said)
    assert not read(said, Header(0xE0, 272, 4, 1, 1))
    assert not read(said, Header(0x40, 272, 4, 1, 1))
    assert not read(said, Header(0xC0, 271, 4, 1, 1))
    assert not read(said, Header(0xC0, 272, 3, 1, 1))
    for more in (
        {"CC-Request-Type": 4}, {"CC-Request-Type": 0}, {"Destination-Realm": "far"}, {"Destination-Host": "ocs2.test"},
        {"Route-Record": "dra"}, {"Proxy-Info": {"Proxy-Host": "a", "Proxy-State": b"1"}}, {"Requested-Service-Unit": {}},
        {"Used-Service-Unit": {"CC-Time": 1}}, {"Requested-Action": 0}, {"Origin-Host": None},
        {"Multiple-Services-Credit-Control": [{"Rating-Group": 1}, {"Rating-Group": 1}]},
        {"Multiple-Services-Credit-Control": [{"Service-Identifier": [1, 2]}]},
        {"Multiple-Services-Credit-Control": [{"Requested-Service-Unit": {"CC-Total-Octets": 2**60}}]},
    ):  # fmt: skip
        assert not read({name: value for name, value in {**said, **more}.items() if value is not None}), more
    assert len(ONCE) < 63


def test_more_services_than_fit_are_left_to_the_other_reader() -> None:
    services = [{"Rating-Group": group} for group in range(PARTS_MAX)]
    data = [encode_message(Message(Header(0xC0, 272, 4, 1, 1), tuple(write_all(asked(type=1, services=each)))))
            for each in (services, services[:-1], [*services, {"Rating-Group": 7_000}])]  # fmt: skip
    _, rows, parts = read_credit_columns(data, 1 << 18)
    assert rows[:, COUNT].tolist() == [128, -1, -1]  # there is room for four of each, and 128 more of all
    assert len(parts) == 128
    assert read_credit_columns(data, 100)[1][:, COUNT].tolist() == [-1, -1, -1]


TERMS = ChargingService(kind="charging_service", code="a", service_context="x", event_type="data", measured_in="total_octets",
                        quota="1 MB", threshold="1 kB", holding_s=9, final_unit="redirect", redirect_to="http://a")  # fmt: skip
SERVICE = Service(TERMS, 1, 10**6, 1, 1000)
NUMBER = st.integers(0, 2**32 - 1)
DECIDED = st.builds(
    lambda group, names, *rest: Decided(Part("g", group, tuple(names), Units(), ()), *rest),
    st.none() | NUMBER, st.lists(NUMBER, max_size=2), st.sampled_from([SERVICE, None]),
    st.sampled_from([Result.SUCCESS, Result.CREDIT_LIMIT_REACHED]), st.integers(0, 2**60), st.booleans(),
    st.sampled_from([(), (("Check-Balance-Result", 1),)]),
)  # fmt: skip


@given(st.lists(DECIDED, max_size=4), st.booleans(), NUMBER)
def test_answers_are_encoded_as_they_are_written(decided: list[Decided], alone: bool, number: int) -> None:
    credit = read_credit(Group(write_all(asked(type=2, number=number))))
    if alone:
        decided = [each._replace(part=each.part._replace(alone=True)) for each in decided[:1]]
    encoded: dict[Any, bytes] = {}
    slowly = credit_answer(credit, decided)
    for _ in range(2):
        answer = encode_credit(credit, decided, encoded)
        assert (answer.result, answer.tail) == (slowly.result, join_avps(slowly.avps))


def test_what_is_remembered_of_answers_is_bounded() -> None:
    credit, encoded = read_credit(Group(write_all(asked(type=2)))), dict[Any, bytes]()
    part = Part("g", 1, (), Units(), ())
    for granted in range(FOUND_MAX + 10):
        encode_credit(credit, [Decided(part, SERVICE, Result.SUCCESS, granted)], encoded)
    assert len(encoded) == 10


@pytest.mark.parametrize("place", [4, 5, 20, 27, 40])
def test_no_byte_brings_the_reader_out_of_step(place: int) -> None:
    chance = random.Random(place)
    good = draw_request(chance)
    for value in range(256):
        bad = bytearray(good)
        bad[place] = value
        first, _, last = PLAIN.read([good, bytes(bad), good], 1 << 18)
        assert first == last is not None
