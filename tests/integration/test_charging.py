"""Online charging by the engine: between the blocks of files, through restarts, to rows that balance."""

from __future__ import annotations

import shutil
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from charging_twin import CATALOG
from wallet_world import SOURCE, engine_of, write_wallets

from apps.embedded.abandon import abandon
from apps.embedded.activation import take_catalog
from apps.embedded.charging_looks import check_balance, price_enquiry
from apps.embedded.charging_port import charging_port
from apps.embedded.charging_requests import ChargingAnswer, ChargingRequest, UnableToRequest
from apps.embedded.charging_words import read_request
from apps.embedded.engine import Engine
from apps.embedded.facts import differences_as_json
from apps.embedded.layout import DataDirectory
from apps.embedded.rerate import rerate
from apps.embedded.rerate_scope import UsageSelection
from apps.settings import Settings
from pipelines.spool.charging_log import UnableToReadChargingLog, UnableToWriteChargingLog
from schemas.charging import ChargingCode, ChargingKind
from sinks.clickhouse.client import UnableToStore

EURO = 10**9


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_wallets(tmp_path / "data")


def ask(engine: Engine, *requests: ChargingRequest) -> list[ChargingAnswer]:
    """Ask, and serve until everything is answered."""
    futures = [engine.charging.submit(request) for request in requests]
    while not all(future.done() for future in futures):
        engine.charging.serve(engine)
    return [future.result() for future in futures]


def reserve(name: str, quantity: int, access_point: str = "1", **more: Any) -> ChargingRequest:
    return ChargingRequest(ChargingKind.RESERVE, name, "", access_point, "call", quantity, **more)


def confirm(name: str, of: str, quantity: int) -> ChargingRequest:
    return ChargingRequest(ChargingKind.CONFIRM, name, of, quantity=quantity)


def test_nothing_is_granted_by_money_that_is_owed_for_what_was_used(data: Path) -> None:
    with engine_of(data) as engine:
        ask(engine, reserve("a", 6), reserve("b", 8))  # half a euro is left
        over, further = ask(engine, confirm("a2", "a", 20), reserve("c", 1))  # one frame
        assert over.code is ChargingCode.DONE
        assert (further.code, further.granted) == (ChargingCode.CREDIT_LIMIT_REACHED, 0)
        [wallet] = check_balance(engine, "card")
        assert Decimal(wallet["available"]) == Decimal(10) - Decimal(over.amount) / EURO - Decimal(wallet["reserved"])


def test_a_session_is_reserved_confirmed_and_stored(data: Path) -> None:
    with engine_of(data) as engine:
        reserved, partial, refused = ask(
            engine, reserve("a", 6), reserve("b", 100, increment=2), reserve("c", 100, validity_s=30)
        )
        assert (reserved.code, reserved.granted, reserved.amount) == (ChargingCode.DONE, 6, 5 * EURO + EURO // 2)
        assert (partial.code, partial.granted, partial.amount) == (ChargingCode.DONE, 8, 4 * EURO)
        assert (refused.code, refused.granted) == (ChargingCode.CREDIT_LIMIT_REACHED, 0)
        assert check_balance(engine, "card") == [
            {
                "wallet": "card",
                "account": "card",
                "currency": "EUR",
                "open": "10",
                "reserved": "9.5",
                "available": "0.5",
            }
        ]
        assert price_enquiry(engine, reserve("x", 1)) == {"priced": True, "amount": "0.5"}
        less, over, gone = ask(engine, confirm("a2", "a", 2), confirm("b2", "b", 20), confirm("c2", "c", 1))
        assert (less.amount, over.amount, gone.code) == (
            2 * EURO,
            11 * EURO + EURO // 2,
            ChargingCode.UNKNOWN_RESERVATION,
        )
        assert check_balance(engine, "card")[0]["open"] == "-3.5"
        again = ask(engine, reserve("a", 6), confirm("b2", "b", 20))
        assert again == [reserved, over]
        engine.snapshot()
        assert differences_as_json(engine.store) == []
        items = engine.store.query("SELECT source, quantity_steps, amount FROM rated_item ORDER BY record").to_pylist()
        assert [tuple(row.values()) for row in items] == [("charging", 2, 2), ("charging", 20, Decimal("11.5"))]
    with engine_of(data) as engine:
        assert ask(engine, reserve("a", 6), confirm("b2", "b", 20)) == [reserved, over]
        (refunded,) = ask(engine, ChargingRequest(ChargingKind.REFUND, "r", "b2"))
        assert (refunded.amount, refunded.claim, refunded.record) == (over.amount, over.claim, over.record)
        engine.flush()
        assert differences_as_json(engine.store) == []


def test_names_that_do_not_exist_are_refused_and_nothing_is_logged(data: Path) -> None:
    with engine_of(data) as engine:
        wrong = [
            reserve("a", 1, "99"),
            ChargingRequest(ChargingKind.CHARGE, "b", "", "1", "mms", 1),
            reserve("c", 1, attributes={"colour": "red"}),
        ]
        futures = [engine.charging.submit(request) for request in wrong]
        engine.charging.serve(engine)
        codes = []
        for future in futures:
            with pytest.raises(UnableToRequest) as raised:
                future.result()
            codes.append(raised.value.code)
        assert codes == ["UNKNOWN_ACCESS_POINT", "UNKNOWN_EVENT_TYPE", "INVALID_REQUEST"]
        assert engine.state.charging.frame == 0


# ---- between the blocks of a file, and again


def _everything(engine: Engine) -> dict[str, Any]:
    """Return what there is to compare: state, what is kept, and rows."""
    engine.flush()
    assert differences_as_json(engine.store) == []
    state = engine.state
    tables = ("fact_usage", "fact_wallet_operation", "fact_block", "fact_reversal")
    return {
        "checksum": state.account.checksum(),
        "reserved": [] if state.account.reserved is None else state.account.reserved.tolist(),
        "kept": {name: array.tobytes() for name, array in state.charging.kept.to_arrays().items()},
        "position": (state.position, state.charging.segment, state.charging.frame, state.charging.record),
        **{
            name: engine.store.query(f"SELECT * FROM {name} ORDER BY claim, block, record").to_pylist()
            if name != "fact_block"
            else engine.store.query("SELECT * FROM fact_block ORDER BY claim, block").to_pylist()
            for name in tables
        },
    }


def _charge_between_blocks(data: Path, *, snapshot_records: int) -> tuple[dict[str, Any], list[ChargingAnswer]]:
    """Take a file of many blocks, charging online between them; die without a snapshot at the end."""
    lines = "".join(f"{number},{1 + number % 3},2026-05-01T10:00:00Z,1,{'.' * 60}\n" for number in range(1200))
    file = data / "spool" / "calls" / "a.csv"
    with engine_of(data, block_bytes=4096, snapshot_records=snapshot_records) as engine:
        engine.directory.spool.prepare(engine.sources)
        file.write_text("id,caller,at,n,note\n" + lines)
        ask(engine, reserve("first", 1, "2"))
        futures: list[Future[ChargingAnswer]] = []

        def submit(*block: object) -> None:
            number = len(futures) // 4
            futures.extend(
                engine.charging.submit(request)
                for request in (
                    reserve(f"s{number}", 3, "2", increment=1),
                    reserve(f"t{number}", 2, "3"),
                    confirm(f"c{number}", f"s{number - 1}", number % 4) if number else confirm("c", "first", 1),
                    ChargingRequest(ChargingKind.REFUND, f"r{number}", f"c{number - 2}"),
                )
            )

        engine.watch = submit
        entry = engine.directory.spool.claim(engine.journal, "calls", file, now=engine.now(), terms=engine.terms)
        engine.process(entry)
        engine.watch = lambda *block: None
        engine.charging.serve(engine)
        answers = [future.result() for future in futures]
        assert engine.state.charging.frame > 5
        return _everything(engine), answers


@pytest.mark.parametrize("snapshot_records", [10_000_000, 500])
def test_frames_between_the_blocks_of_a_file_are_replayed_where_they_were(data: Path, snapshot_records: int) -> None:
    before, answers = _charge_between_blocks(data, snapshot_records=snapshot_records)
    assert {answer.code for answer in answers} >= {ChargingCode.DONE, ChargingCode.UNKNOWN_RESERVATION}
    with engine_of(data) as engine:
        assert _everything(engine) == before
        again = ask(engine, reserve("s0", 3, "2", increment=1), confirm("c", "first", 1))
        assert again == [answers[0], answers[2]]
    shutil.rmtree(data / "store")
    with engine_of(data) as engine:
        found = _everything(engine)
        assert {name: found[name] for name in ("fact_usage", "fact_reversal")} == {
            name: before[name] for name in ("fact_usage", "fact_reversal")
        }


def test_reservations_expire_while_nothing_comes(data: Path) -> None:
    with engine_of(data) as engine:
        (held,) = ask(engine, reserve("a", 4, validity_s=5))
        at = engine.now()
        engine.now = lambda: at + 4_000_000
        assert not engine.charging.is_due(engine)
        engine.now = lambda: at + 7_000_000
        engine.charging.serve(engine)
        assert check_balance(engine, "card")[0]["available"] == "10"
        assert ask(engine, confirm("a2", "a", 4))[0].amount == held.amount  # it was used, so it is paid
        assert ask(engine, ChargingRequest(ChargingKind.CANCEL, "a3", "a"))[0].code is ChargingCode.NOT_OPEN


def test_a_log_that_lost_what_was_processed_is_refused(data: Path) -> None:
    with engine_of(data) as engine:
        ask(engine, reserve("a", 1))
        ask(engine, reserve("b", 1))
        engine.snapshot()
    (segment,) = (data / "charging").iterdir()
    whole = segment.read_bytes()
    segment.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnableToReadChargingLog, match="ends with frame 0"), engine_of(data):
        pass
    segment.write_bytes(whole)
    journal = data / "journal.log"
    journal.write_bytes(journal.read_bytes())
    with engine_of(data) as engine:
        assert ask(engine, reserve("a", 1))[0].granted == 1


def test_a_full_disk_refuses_and_the_next_request_is_taken(data: Path) -> None:
    with engine_of(data) as engine:
        ask(engine, reserve("a", 1))
        future = engine.charging.submit(reserve("b", 1))
        with mock.patch("os.pwrite", side_effect=OSError(28, "No space left on device")):
            engine.charging.serve(engine)
        with pytest.raises(UnableToRequest, match="No space left"):
            future.result()
        assert ask(engine, reserve("b", 1))[0].code is ChargingCode.DONE


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_disk_that_fails_to_sync_ends_it_and_nothing_was_answered_or_stored(data: Path, is_lost: bool) -> None:
    charge = ChargingRequest(ChargingKind.CHARGE, "b", "", "1", "call", 1)
    with engine_of(data) as engine:
        ask(engine, reserve("a", 1))
        future = engine.charging.submit(charge)
        with (
            mock.patch("os.fdatasync", side_effect=OSError(5, "Input/output error")),
            mock.patch("apps.embedded.engine.Engine.emit") as emit,
            pytest.raises(UnableToWriteChargingLog, match="not known whether frame 1 is on the disk"),
        ):
            engine.charging.serve(engine)
        emit.assert_not_called()
        with pytest.raises(UnableToRequest, match="start again when the disk is well"):
            future.result(0)
    (segment,) = (data / "charging").iterdir()
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-1] if is_lost else whole)
    with engine_of(data) as engine:
        assert engine.state.charging.frame == (1 if is_lost else 2)
        assert ask(engine, charge)[0].code is ChargingCode.DONE
        assert engine.state.charging.frame == 2


def test_a_disk_that_is_full_before_the_first_segment_refuses_and_the_next_request_is_taken(data: Path) -> None:
    with engine_of(data) as engine:
        for call in ("pathlib.Path.touch", "os.fsync"):
            future = engine.charging.submit(reserve("a", 1))
            with mock.patch(call, side_effect=OSError(28, "No space left on device")):
                engine.charging.serve(engine)
            with pytest.raises(UnableToRequest, match="No space left"):
                future.result(0)
        assert ask(engine, reserve("a", 1))[0].code is ChargingCode.DONE


def test_what_ends_is_taken_however_much_is_kept_and_what_begins_is_not(data: Path) -> None:
    with engine_of(data, charging_kept_max=2) as engine:
        held = ask(engine, reserve("a", 1), reserve("b", 1))
        for begins in (reserve("c", 1), ChargingRequest(ChargingKind.CHARGE, "c", "", "1", "call", 1)):
            with pytest.raises(UnableToRequest, match="2 requests are kept already") as raised:
                ask(engine, begins)
            assert raised.value.code == "UNAVAILABLE"
        ended, again = ask(engine, confirm("a2", "a", 1), reserve("a", 1))
        assert (ended.code, again) == (ChargingCode.DONE, held[0])


def test_a_segment_that_another_one_follows_may_not_end_torn(data: Path) -> None:
    with engine_of(data, charging_keep_s=60) as engine:
        ask(engine, reserve("a", 1))
        ask(engine, confirm("b", "a", 1))
    with engine_of(data) as engine:  # another setting: another segment
        ask(engine, reserve("c", 1))
    first, _ = sorted((data / "charging").iterdir())
    first.write_bytes(first.read_bytes()[:-1])
    shutil.rmtree(data / "state")
    with pytest.raises(UnableToReadChargingLog, match="frame 1 is damaged"), engine_of(data):
        pass


def test_the_next_catalog_begins_between_two_frames(data: Path) -> None:
    with engine_of(data) as engine:
        (old,) = ask(engine, reserve("a", 2))
        catalog = data / "catalog" / "catalog.yaml"
        catalog.write_text(CATALOG % 2 + SOURCE)
        take_catalog(engine)
        new, ended = ask(engine, reserve("b", 1), confirm("a2", "a", 2))
        assert (old.amount, new.amount, ended.amount) == (2 * EURO, 2 * EURO, 4 * EURO)
        engine.flush()
        assert differences_as_json(engine.store) == []


def test_of_requests_about_each_other_the_later_ones_wait(data: Path) -> None:
    with engine_of(data) as engine:
        asked = [
            reserve("a", 2),
            confirm("b", "a", 1),
            confirm("b", "a", 1),
            ChargingRequest(ChargingKind.REFUND, "c", "b"),
            ChargingRequest(ChargingKind.REFUND, "d", "b"),
        ]
        answers = ask(engine, *asked)
        assert [answer.code.name for answer in answers] == ["DONE", "DONE", "DONE", "DONE", "NOT_OPEN"]
        assert answers[1] == answers[2]
        assert check_balance(engine, "card")[0]["available"] == "10"


def test_a_python_program_asks_from_its_threads(data: Path) -> None:
    settings = Settings(data_dir=data, dedup_window_days="unlimited")
    with charging_port(DataDirectory(data), settings, say=print) as port:
        held = port.submit(reserve("a", 6)).result()
        assert port.check_balance("card")[0]["reserved"] == "5.5"
        assert port.price_enquiry(reserve("x", 1)) == {"priced": True, "amount": "0.5"}
        futures = [port.submit(confirm("b", "a", 6)), port.submit(reserve("c", 1))]
        assert futures[0].result().amount == held.amount
        with pytest.raises(UnableToRequest):
            port.check_balance("nobody")
        with pytest.raises(UnableToRequest):
            port.submit(confirm("d", "", 1))
    assert futures[1].result().code is ChargingCode.DONE


def test_what_was_charged_online_is_rated_again_with_its_attributes(data: Path) -> None:
    catalog = data / "catalog" / "catalog.yaml"
    far = (
        "\n---\n{kind: price_plan, code: far, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, model: flat, per: 1 event,"
        ' price: "%s"}]}\n---\n{kind: charge, code: far, event_type: call, price_plan: far, priority: 0, filters: {zone: far}}'
    )
    text = (CATALOG % 1 + SOURCE).replace("code: call, unit: event}", "code: call, unit: event, attributes: [zone]}", 1)
    text = text.replace("charges: [call, pack,", "charges: [call, pack, far,")
    catalog.write_text(text + far % 2)
    with engine_of(data) as engine:
        ask(engine, reserve("a", 2, attributes={"zone": "far"}), reserve("b", 1, attributes={"zone": "near"}))
        ended = ask(engine, confirm("a2", "a", 1), confirm("b2", "b", 1))
        assert [one.amount for one in ended] == [2 * EURO, EURO]
        catalog.write_text(text + far % 3)
        take_catalog(engine)
        period = {"since": "2026-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
        done = rerate(engine, UsageSelection(**period), "a dearer zone", preview=False)
        assert (done["selected"], done["changed"]) == (2, 1)
        engine.flush()
        assert differences_as_json(engine.store) == []
        assert check_balance(engine, "card")[0]["open"] == "6"


def test_a_catalog_without_counters(data: Path) -> None:
    catalog = data / "catalog" / "catalog.yaml"
    plain = (CATALOG % 1 + SOURCE).replace("{kind: counter, code: monthly, unit: event}\n---\n", "")
    tiers = 'model: graduated,\n  per: 1 event, counter: monthly, tiers: [{up_to: 5 event, price: "1"}, {price: "0.5"}]'
    assert tiers in plain
    catalog.write_text(plain.replace(tiers, 'model: flat, per: 1 event, price: "1"'))
    with engine_of(data) as engine:
        ask(engine, reserve("a", 4), reserve("b", 3))
        less, gone = ask(
            engine,
            ChargingRequest(ChargingKind.CONFIRM, "c", "a", quantity=1),
            ChargingRequest(ChargingKind.CANCEL, "d", "b"),
        )
        assert (less.code, gone.code) == (ChargingCode.DONE, ChargingCode.DONE)
        assert check_balance(engine, "card")[0]["available"] == "9"


# ---- what may go wrong between asking and being answered


def test_who_gives_up_waiting_stops_nobody(data: Path) -> None:
    with engine_of(data) as engine:
        given_up = engine.charging.submit(reserve("a", 1)), engine.charging.look(lambda engine: 1)
        assert all(future.cancel() for future in given_up)
        assert ask(engine, reserve("a", 2))[0].granted == 2
        assert engine.charging.submit(reserve("b", 1)).cancel()
    with pytest.raises(UnableToRequest, match="stopping"):
        engine.charging.look(lambda engine: 1).result(0)
    with pytest.raises(UnableToRequest, match="stopping"):
        engine.charging.submit(reserve("c", 1))


def test_a_crash_before_a_segment_is_used_leaves_a_log_that_goes_on(data: Path) -> None:
    with engine_of(data, charging_keep_s=60) as engine:
        ask(engine, reserve("a", 1))
    with engine_of(data) as engine, mock.patch.object(Engine, "process", side_effect=KeyboardInterrupt):
        engine.charging.submit(reserve("b", 1))
        with pytest.raises(KeyboardInterrupt):
            engine.charging.serve(engine)
    with engine_of(data) as engine:
        assert ask(engine, reserve("b", 2))[0].granted == 2


def test_what_was_taken_is_answered_again_by_a_catalog_that_no_longer_has_it(data: Path) -> None:
    charge = ChargingRequest(ChargingKind.CHARGE, "a", "", "1", "call", 1)
    with engine_of(data) as engine:
        (taken,) = ask(engine, charge)
        catalog = data / "catalog" / "catalog.yaml"
        catalog.write_text(catalog.read_text().replace('access_points: [{id: "1"}]', 'access_points: [{id: "9"}]'))
        take_catalog(engine)
        frames = engine.state.charging.frame
        assert ask(engine, charge) == [taken]
        assert engine.state.charging.frame == frames, "what is known needs no log"
        with pytest.raises(UnableToRequest):
            ask(engine, reserve("b", 1))


def test_what_was_rated_again_is_not_refunded_as_it_was(data: Path) -> None:
    with engine_of(data) as engine:
        ask(engine, ChargingRequest(ChargingKind.CHARGE, "a", "", "1", "call", 1))
        catalog = data / "catalog" / "catalog.yaml"
        catalog.write_text(CATALOG % 2 + SOURCE)
        take_catalog(engine)
        period = {"since": "2026-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
        assert rerate(engine, UsageSelection(**period), "dearer", preview=False)["changed"] == 1
        (refund,) = ask(engine, ChargingRequest(ChargingKind.REFUND, "r", "a"))
        assert refund.code is ChargingCode.NOT_OPEN
        assert check_balance(engine, "card")[0]["open"] == "8"
        engine.flush()
        assert differences_as_json(engine.store) == []


def test_what_a_reservation_gives_back_pays_for_what_was_used_of_it_first(data: Path) -> None:
    with engine_of(data) as engine:
        ask(engine, reserve("a", 15))
        other, used = ask(engine, reserve("b", 15), confirm("a2", "a", 14))
        assert (used.amount, other.code) == (9 * EURO + EURO // 2, ChargingCode.CREDIT_LIMIT_REACHED)
        assert check_balance(engine, "card")[0]["open"] == "0.5"


def test_what_is_no_number_in_eight_bytes_is_refused_before_it_waits(data: Path) -> None:
    with engine_of(data) as engine:
        for wrong in (
            reserve("a", 1, values={"n": 2**63}),
            reserve("a", 1, "\ud800"),
        ):
            with pytest.raises(UnableToRequest):
                ask(engine, wrong)
        with pytest.raises(UnableToRequest, match="out of range"):
            read_request(engine, ChargingKind.CANCEL, {"id": "a", "of": "b", "at": "0001-01-01T00:00:00+14:00"})


@pytest.mark.parametrize("stored", [True, False])
def test_what_was_charged_between_the_blocks_of_an_abandoned_file_stays_charged(data: Path, *, stored: bool) -> None:
    lines = "".join(f"{number},3,2026-05-01T10:00:00Z,0,{'.' * 60}\n" for number in range(1200))
    file = data / "spool" / "calls" / "a.csv"
    answers: list[Future[ChargingAnswer]] = []
    with engine_of(data, block_bytes=4096, flush_ms=60_000) as engine:
        engine.directory.spool.prepare(engine.sources)
        file.write_text("id,caller,at,n,note\n" + lines)
        ask(engine, reserve("first", 1, "2"))
        entry = engine.directory.spool.claim(engine.journal, "calls", file, now=engine.now(), terms=engine.terms)

        def charge_then_die(*block: object) -> None:
            if len(answers) == 2:
                if not stored:
                    engine.writer.store = mock.Mock(side_effect=UnableToStore)
                raise MemoryError
            request = ChargingRequest(ChargingKind.CHARGE, f"e{len(answers)}", "", "1", "call", 1)
            answers.append(engine.charging.submit(request))

        engine.watch = charge_then_die
        with pytest.raises(MemoryError):
            engine.process(entry)
        taken = [future.result(0) for future in answers]
    done = abandon(DataDirectory(data), "a.csv", "it needs too much memory", now=2**50)
    assert done["block"] == 2
    with engine_of(data) as engine:
        again = [ChargingRequest(ChargingKind.CHARGE, f"e{number}", "", "1", "call", 1) for number in range(2)]
        assert ask(engine, *again) == taken
        engine.flush()
        assert differences_as_json(engine.store) == []
