"""Gy and Ro on a real charging log: what is granted, charged and released, and that no repetition moves anything."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from diameter_gateway import EVENT, INITIAL, LEFT, SESSION, TERMINATION, UPDATE, Gateway, encoded
from diameter_world import WHOSE, engine_of, msisdn, service, told, write_world

from apps.diameter.charging import CreditControl
from apps.diameter.plain import PlainCredits
from apps.embedded.engine import Engine
from apps.embedded.facts import differences_as_json


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One engine for all: each test has a customer of its own."""
    with engine_of(write_world(tmp_path_factory.mktemp("gy") / "data")) as engine:
        yield engine
        engine.flush()
        assert differences_as_json(engine.store) == []


CUSTOMERS = count(1)


@pytest.fixture
def gateway(shared: Engine) -> Gateway:
    return Gateway(shared, customer=next(CUSTOMERS))


def test_the_session_of_capture_05(gateway: Gateway) -> None:
    """A balance of 7,500 octets is granted 2000, 2000, 2000 and 1500, the last; used 1500, 1500, 3000 and 1500 it is empty."""
    steps = [(INITIAL, None, (2001, 2000, False)), (UPDATE, 1500, (2001, 2000, False)), (UPDATE, 1500, (2001, 2000, False)),
             (UPDATE, 3000, (2001, 1500, True)), (TERMINATION, 1500, (2001, None, False))]  # fmt: skip
    for number, (kind, used, expected) in enumerate(steps):
        ask = 200_000 if kind != TERMINATION else None
        answer = gateway.ask(type=kind, number=number, whose=WHOSE, services=[service(ask=ask, used=used)])
        assert (answer.get("Result-Code"), told(answer)) == (2001, {1: expected})
        assert (answer.get("CC-Request-Type"), answer.get("CC-Request-Number")) == (kind, number)
    assert gateway.balance() == (0, 0)
    gateway.engine.flush()
    items = gateway.engine.store.query(
        f"SELECT quantity_steps FROM rated_item WHERE account = '{msisdn(gateway.customer)}' ORDER BY record"
    ).to_pylist()
    assert [item["quantity_steps"] for item in items] == [1500, 1500, 3000, 1500]


def test_a_grant_says_how_long_and_when_to_come_back(gateway: Gateway) -> None:
    answer = gateway.ask(type=INITIAL, whose=WHOSE, services=[service(ask=()), service(9, ask=())])
    first, video = answer.all("Multiple-Services-Credit-Control")
    assert (first.get("Validity-Time"), first.get("Volume-Quota-Threshold"), first.get("Quota-Holding-Time")) == (
        600,
        500,
        60,
    )
    assert (video.get("Validity-Time"), video.has("Volume-Quota-Threshold")) == (1800, False)
    assert told(answer) == {1: (2001, 2000, False), 9: (2001, 1000, False)}
    assert gateway.balance() == (Decimal("7.5"), 3)


def test_each_rating_group_has_its_own_result(gateway: Gateway) -> None:
    services = [service(group, ask=2000) for group in (1, 2, 3)] + [service(9, ask=())] + [service(4, ask=())]
    answer = gateway.ask(type=INITIAL, whose=WHOSE, services=services)
    assert answer.get("Result-Code") == 2001
    assert told(answer) == {1: (2001, 2000, False), 2: (2001, 2000, False), 3: (2001, 2000, False), 9: (2001, 1000, False),
                            4: (2001, 500, True)}  # fmt: skip
    answer = gateway.ask(
        type=UPDATE,
        number=1,
        services=[service(5, ask=()), service(9, ask=(), used=[600, 400], unit="CC-Input-Octets")],
    )
    assert told(answer) == {5: (4012, None, False), 9: (4012, None, False)}
    assert gateway.balance() == (Decimal("6.5"), Decimal("6.5"))
    answer = gateway.ask(type=TERMINATION, number=2, services=[service(1, used=0), service(2, used=100)])
    assert told(answer) == {1: (2001, None, False), 2: (2001, None, False)}
    assert gateway.balance() == (Decimal("6.4"), 0)


def test_what_was_used_is_charged_even_where_nothing_can_be_granted(gateway: Gateway) -> None:
    """RFC 8506 §9.1: units that were used are deducted with 4012, too; usage above the grant, and without any."""
    gateway.ask(type=INITIAL, whose=WHOSE, services=[service(ask=2000)])
    answer = gateway.ask(type=UPDATE, number=1, services=[service(ask=2000, used=9000)])
    assert told(answer) == {1: (4012, None, False)}
    assert gateway.balance() == (Decimal("-1.5"), 0)
    answer = gateway.ask(type=TERMINATION, number=2, whose=WHOSE, services=[service(used=1000), service(2, used=500)])
    assert told(answer) == {1: (2001, None, False), 2: (2001, None, False)}
    assert gateway.balance() == (-3, 0)


@pytest.mark.parametrize("order", [1, -1], ids=["asks-first", "reports-first"])
def test_what_a_group_gives_back_is_there_for_the_others_of_the_request(gateway: Gateway, order: int) -> None:
    """Whatever the order in the message: 7,000 of 7,500 octets are held by four groups that used nothing."""
    held = [service(group, ask=2000) for group in (1, 2, 3)] + [service(4, ask=1000)]
    gateway.ask(type=INITIAL, whose=WHOSE, services=held)
    services = [service(5, ask=2000), *(service(group, used=500 * (group == 1)) for group in (1, 2, 3, 4))]
    answer = gateway.ask(type=UPDATE, number=1, services=services[::order])
    assert told(answer)[5] == (2001, 2000, False)
    assert gateway.balance() == (7, 2)


def test_final_units_redirect_and_restrict(gateway: Gateway) -> None:
    services = [service(group, ask=2000) for group in (1, 2, 3)] + [service(4, ask=1000)]
    gateway.ask(type=INITIAL, whose=WHOSE, services=services)
    answer = gateway.ask(type=INITIAL, session="video", whose=WHOSE, services=[service(9, ask=())])
    (group,) = answer.all("Multiple-Services-Credit-Control")
    final = group.get("Final-Unit-Indication")
    assert (final.get("Final-Unit-Action"), group.get("Granted-Service-Unit").get("CC-Input-Octets")) == (1, 500)
    assert final.get("Redirect-Server").get("Redirect-Server-Address") == "http://top-up.example"
    gateway.ask(type=TERMINATION, number=1, session="video", services=[service(9, used=490, unit="CC-Input-Octets")])
    answer = gateway.ask(
        type=INITIAL, session="voice", context="9.32260@3gpp.org", whose=WHOSE, requested={"CC-Time": 30}
    )
    final = answer.get("Final-Unit-Indication")
    assert (answer.get("Result-Code"), answer.get("Granted-Service-Unit").get("CC-Time")) == (2001, 1)
    assert (final.get("Final-Unit-Action"), final.all("Restriction-Filter-Rule")) == (
        2,
        ["permit out ip from any to 10.0.0.1"],
    )


def test_one_service_without_a_group_is_answered_beside_it(gateway: Gateway) -> None:
    said = {"session": "call", "context": "32260@3gpp.org"}
    answer = gateway.ask(**said, type=INITIAL, whose=WHOSE, requested={})
    assert (answer.get("Granted-Service-Unit").get("CC-Time"), answer.get("Validity-Time")) == (60, 1800)
    answer = gateway.ask(**said, type=UPDATE, number=1, used=[{"CC-Time": 50}], requested={"CC-Time": 900})
    assert answer.get("Granted-Service-Unit").get("CC-Time") == 60
    gateway.ask(**said, type=TERMINATION, number=2, used=[{"CC-Time": 10}, {"CC-Time": 15}])
    assert gateway.balance() == (Decimal("6.75"), 0)
    gateway.ask(session="gone", context="32260@3gpp.org", type=INITIAL, whose=WHOSE, requested={})
    gateway.ask(session="gone", context="32260@3gpp.org", type=UPDATE, number=1, used=[{"CC-Time": 1000}])
    answer = gateway.ask(session="poor", context="32260@3gpp.org", type=INITIAL, whose=WHOSE, requested={})
    assert (answer.get("Result-Code"), answer.has("Granted-Service-Unit")) == (4012, False)


@pytest.mark.parametrize("remembered", [True, False], ids=["one-front-end", "a-front-end-each-time"])
def test_every_request_again_is_answered_the_same_and_moves_nothing(gateway: Gateway, *, remembered: bool) -> None:
    """Retransmissions after each answer, of all that came before, by the front end that answered or by another one."""
    first: list[tuple[int, bytes]] = []
    for taken, said in enumerate(SESSION, 1):
        answer = gateway.answer(**said)
        first.append((answer.result, encoded(answer)))
        moved = gateway.balance()
        for earlier in range(taken):
            if not remembered:
                gateway.front = CreditControl(gateway.engine)
            again = gateway.answer(**SESSION[earlier], **({} if "whose" in SESSION[earlier] else {"whose": WHOSE}))
            assert (again.result, encoded(again)) == first[earlier], (taken, earlier)
            assert gateway.balance() == moved
    assert gateway.balance() == (LEFT, 0 if remembered else 2)


def test_repetitions_that_come_while_the_first_is_on_its_way(gateway: Gateway) -> None:
    for said in SESSION:
        answers = gateway.answers(said, said, said)
        assert len({(answer.result, encoded(answer)) for answer in answers}) == 1
    assert gateway.balance() == (LEFT, 0)


def test_requests_are_answered_even_where_they_cannot_be_read_together(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(self: PlainCredits, messages: Any, bytes_max: int) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(PlainCredits, "read", breaks)
    said = {"type": INITIAL, "whose": WHOSE, "services": [service(ask=500)]}
    failures: list[BaseException] = []
    gateway.hub.failed = failures.append
    assert [answer.result for answer in gateway.answers(said, {**said, "session": "two"})] == [2001, 2001]
    assert [type(failure) for failure in failures] == [ZeroDivisionError]
    assert gateway.balance() == (Decimal("7.5"), 1)


def test_sub_sessions_are_apart(gateway: Gateway) -> None:
    for sub in (None, 1, 2):
        gateway.ask(type=INITIAL, sub=sub, whose=WHOSE, services=[service(ask=())])
    assert gateway.balance()[1] == 6


def test_events(gateway: Gateway) -> None:
    said: dict[str, Any] = {"type": EVENT, "context": "32274@3gpp.org", "whose": WHOSE}
    three = {"CC-Service-Specific-Units": 3}
    answer = gateway.ask(**said, action=3, session="price", requested=three)
    cost = answer.get("Cost-Information")
    value = cost.get("Unit-Value")
    assert Decimal(value.get("Value-Digits")).scaleb(value.get("Exponent")) == Decimal("1.5")
    assert cost.get("Currency-Code") == 978
    answer = gateway.ask(**said, action=2, session="check", requested=three)
    assert answer.get("Check-Balance-Result") == 0
    assert gateway.balance() == (Decimal("7.5"), 0)
    debit = gateway.ask(**said, action=0, session="debit", requested=three)
    assert (debit.get("Result-Code"), debit.get("Granted-Service-Unit").get("CC-Service-Specific-Units")) == (2001, 3)
    gateway.ask(**said, action=0, session="debit", requested=three)
    assert gateway.balance() == (6, 0)
    refund = {"Refund-Information": debit.get("Refund-Information"), "Rating-Group": 1}
    for _ in range(2):
        answer = gateway.ask(**said, action=1, session="refund", services=[refund])
        assert told(answer) == {1: (2001, None, False)}
        assert gateway.balance() == (Decimal("7.5"), 0)
    answer = gateway.ask(**said, action=1, session="twice", services=[refund])
    assert told(answer) == {1: (5002, None, False)}
    assert gateway.answer(**said, action=1, session="none", services=[{"Rating-Group": 1}]).result == 5005
    gateway.ask(type=TERMINATION, session="poor", whose=WHOSE, services=[service(used=9000)])
    assert gateway.ask(**said, action=2, session="no", requested=three).get("Check-Balance-Result") == 1
    assert gateway.ask(**said, action=0, session="not", requested=three).get("Result-Code") == 4012
    assert gateway.ask(**said, action=3, session="costs", requested=three).get("Result-Code") == 4012


def test_an_event_is_what_it_says_and_without_an_amount_one(gateway: Gateway) -> None:
    said: dict[str, Any] = {"type": EVENT, "context": "32274@3gpp.org", "whose": WHOSE, "action": 0}
    one = gateway.ask(**said, session="one", services=[{"Rating-Group": 1}])
    [part] = one.all("Multiple-Services-Credit-Control")
    assert part.get("Granted-Service-Unit").get("CC-Service-Specific-Units") == 1
    assert gateway.balance() == (7, 0)
    gateway.ask(**said, session="many", requested={"CC-Service-Specific-Units": 11})  # a grant has at most 10
    assert gateway.balance() == (Decimal("1.5"), 0)
    for action in (0, 3):  # how many octets is anybody's guess
        answer = gateway.ask(type=EVENT, whose=WHOSE, action=action, session="octets", services=[{"Rating-Group": 1}])
        assert told(answer) == {1: (5031, None, False)}
    assert gateway.balance() == (Decimal("1.5"), 0)


def test_what_cannot_be_charged(gateway: Gateway) -> None:
    stranger = [{"Subscription-Id-Type": 0, "Subscription-Id-Data": "44"}]
    nai = [{"Subscription-Id-Type": 3, "Subscription-Id-Data": "a@b"}]
    once: dict[str, Any] = {"services": [service(ask=())], "type": INITIAL}
    assert gateway.answer(**once, session="a", whose=stranger).result == 5030
    assert gateway.answer(**once, session="b", whose=nai).result == 5005
    assert gateway.answer(**once, session="c").result == 5005
    assert gateway.answer(**{**once, "type": 7}, session="d", whose=WHOSE).result == 5004
    assert gateway.answer(type=EVENT, session="e", whose=WHOSE).result == 5005
    assert gateway.answer(type=EVENT, action=9, session="f", whose=WHOSE).result == 5004
    assert gateway.answer(type=INITIAL, session="g", whose=WHOSE, services=[service(), service()]).result == 5007
    many = [service(group) for group in range(200)]
    assert gateway.answer(type=INITIAL, session="h", whose=WHOSE, services=many).result == 5009
    unknown = gateway.ask(type=INITIAL, session="i", context="32999@3gpp.org", whose=WHOSE, services=[service(ask=())])
    assert told(unknown) == {1: (5031, None, False)}
    far = 2**64 - 1
    assert (
        gateway.answer(type=TERMINATION, session="j", whose=WHOSE, services=[service(used=[far, far])]).result == 5004
    )
    assert gateway.balance() == (Decimal("7.5"), 0)


def test_attributes_are_read_from_avps(gateway: Gateway) -> None:
    info = {"PS-Information": {"3GPP-SGSN-MCC-MNC": "20801"}}
    gateway.ask(type=INITIAL, whose=WHOSE, info=info, services=[service(ask=())])
    imsi_first = [{"Subscription-Id-Type": 1, "Subscription-Id-Data": "208"}, *WHOSE]
    assert gateway.answer(type=INITIAL, session="2", whose=imsi_first, services=[service(ask=())]).result == 2001
    credit = gateway.front
    assert len(credit.sessions) == 2
    assert msisdn(gateway.customer) in {each.access_point for each in credit.sessions._known.values()}


def test_sessions_that_are_forgotten_are_found_again(gateway: Gateway) -> None:
    gateway = Gateway(gateway.engine, sessions_max=1, customer=gateway.customer)
    for said in SESSION:
        for name in ("one", "two", "three"):
            assert gateway.answer(**{**said, "services": said["services"][:1]}, session=name).result == 2001
        assert len(gateway.front.sessions) == 1
    assert not gateway.front._busy
    assert gateway.balance() == (Decimal("7.5") - 3 * 5, 0)
