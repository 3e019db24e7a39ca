"""Credit-Control-Answers: what was decided, as AVPs (RFC 8506 §3.2, §5.6)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from apps.diameter.credit import Credit, Part
from apps.diameter.services import FOUND_MAX, Service
from apps.embedded.charging_requests import ChargingAnswer
from connectors.diameter.identity import Answer
from pipelines.mediation.diameter.codes import Result
from pipelines.mediation.diameter.dictionary import NAMED
from pipelines.mediation.diameter.fields import write_all
from pipelines.mediation.diameter.messages import join_avps
from schemas.charging import CODE_WORDS, ChargingCode

FINAL_ACTIONS = {"terminate": 0, "redirect": 1, "restrict": 2}
URL = 2
CREDIT_CONTROL = 4
FAILOVER_SUPPORTED = 1
RESULTS = {code: Result(int(words.split()[0])) for code, (_, words) in CODE_WORDS.items()}
"""How requests of the charging port end, as results of Diameter."""


class Decided(NamedTuple):
    """What became of a part.

    Attributes:
        service: None when the catalog has none for it.
        granted: base steps, 0 when nothing was granted or asked for. final: nothing more will be.
        extra: further content of the answer, by name.
    """

    part: Part
    service: Service | None
    result: Result
    granted: int = 0
    final: bool = False
    extra: tuple[tuple[str, Any], ...] = ()

    @property
    def is_limited(self) -> bool:
        """Whether more would be granted if there were more money."""
        return self.final or self.result is Result.CREDIT_LIMIT_REACHED


def granted(part: Part, service: Service, asked: int, answer: ChargingAnswer) -> Decided:
    """Return what a reservation means for a part: less than was asked for is the last."""
    if answer.code is ChargingCode.DONE and not answer.granted:
        return Decided(part, service, Result.CREDIT_LIMIT_REACHED)
    if answer.code is not ChargingCode.DONE:
        return Decided(part, service, RESULTS[answer.code])
    return Decided(part, service, Result.SUCCESS, answer.granted, final=answer.granted < asked)


def credit_answer(credit: Credit, decided: Sequence[Decided]) -> Answer:
    """Return the answer to a request; one service that is not in a group is answered by the request's own result."""
    alone = next((each for each in decided if each.part.alone), None)
    body: list[tuple[str, Any]] = [
        ("Auth-Application-Id", CREDIT_CONTROL),
        ("CC-Request-Type", int(credit.type)),
        ("CC-Request-Number", credit.number),
        ("CC-Session-Failover", FAILOVER_SUPPORTED),
    ]
    if alone is not None:
        body += _content(alone)
        return Answer(int(alone.result), write_all(body))
    body += [("Multiple-Services-Credit-Control", _service(each)) for each in decided]
    return Answer(int(Result.SUCCESS), write_all(body))


def encode_credit(credit: Credit, decided: Sequence[Decided], encoded: dict[Any, bytes]) -> Answer:
    """Return what `credit_answer` does, encoded: grants say the same again and again, so that each is written once.

    Args:
        encoded: what was written before, changed; `FOUND_MAX` at most.
    """
    if len(decided) == 1 and decided[0].part.alone:
        answer = credit_answer(credit, decided)
        return Answer(answer.result, tail=join_avps(answer.avps))
    parts = [_HEAD.pack(*_AUTH, *_TYPE, int(credit.type), *_NUMBER, credit.number, *_FAILOVER)]
    for each in decided:
        said = id(each.service), each.part.rating_group, each.part.identifiers, each.result, each.granted, each.final
        found = None if each.extra else encoded.get(said)
        if found is None:
            found = join_avps(write_all([("Multiple-Services-Credit-Control", _service(each))]))
            if not each.extra:
                if len(encoded) >= FOUND_MAX:
                    encoded.clear()
                encoded[said] = found
        parts.append(found)
    return Answer(int(Result.SUCCESS), tail=b"".join(parts))


_HEAD = struct.Struct(">12I")


def _number(name: str) -> tuple[int, int]:
    found = NAMED[name]
    return found.code, found.flags << 24 | 12


_AUTH = (*_number("Auth-Application-Id"), CREDIT_CONTROL)
_TYPE, _NUMBER = _number("CC-Request-Type"), _number("CC-Request-Number")
_FAILOVER = (*_number("CC-Session-Failover"), FAILOVER_SUPPORTED)


def _service(decided: Decided) -> tuple[tuple[str, Any], ...]:
    part = decided.part
    named: list[tuple[str, Any]] = [("Service-Identifier", list(part.identifiers)), ("Rating-Group", part.rating_group)]
    return (*named, ("Result-Code", int(decided.result)), *_content(decided))


def _content(decided: Decided) -> list[tuple[str, Any]]:
    service = decided.service
    found: list[tuple[str, Any]] = list(decided.extra)
    if service is None or not decided.granted:
        return found
    terms = service.terms
    found.append(("Granted-Service-Unit", {service.measure: decided.granted // service.step}))
    found.append(("Validity-Time", terms.validity_s))
    if decided.final:
        found.append(("Final-Unit-Indication", _final(service)))
    threshold = {"time": "Time-Quota-Threshold", "service_units": "Unit-Quota-Threshold"}
    if service.threshold and not decided.final and not decided.part.alone:
        found.append((threshold.get(terms.measured_in, "Volume-Quota-Threshold"), min(service.threshold, 2**32 - 1)))
    if terms.holding_s is not None and not decided.part.alone:
        found.append(("Quota-Holding-Time", terms.holding_s))
    return found


def _final(service: Service) -> dict[str, Any]:
    terms = service.terms
    told: dict[str, Any] = {"Final-Unit-Action": FINAL_ACTIONS[terms.final_unit]}
    if terms.restrict_to:
        told["Restriction-Filter-Rule"] = list(terms.restrict_to)
    if terms.redirect_to is not None:
        told["Redirect-Server"] = {"Redirect-Address-Type": URL, "Redirect-Server-Address": terms.redirect_to}
    return told
