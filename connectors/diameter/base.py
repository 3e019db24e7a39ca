"""Messages of the base protocol that a server sends: answers, and its own requests to peers (RFC 6733 §5, §6.2, §7)."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.diameter.identity import Answer, Identity
from pipelines.mediation.diameter.codes import ERROR, PROXIABLE, REQUEST, Application, Command, Result
from pipelines.mediation.diameter.dictionary import NAMED
from pipelines.mediation.diameter.fields import Group, write, write_all
from pipelines.mediation.diameter.messages import (
    HEADER_BYTES,
    Avp,
    Header,
    Message,
    UnableToReadMessage,
    encode_header,
    encode_message,
    join_avps,
)

_SESSION, _PROXY = NAMED["Session-Id"].code, NAMED["Proxy-Info"].code
_WORDS_MAX = 200


def encode_answer(identity: Identity, header: Header, asked: Sequence[Avp], answer: Answer) -> bytes:
    """Return the answer to a request, with what every answer has: its ids, its session and the state of proxies."""
    is_error = 3000 <= answer.result < 4000
    flags = header.flags & PROXIABLE | (ERROR if is_error else 0)
    session = [avp for avp in asked if avp.code == _SESSION and not avp.vendor][:1]
    proxies = [avp for avp in asked if avp.code == _PROXY and not avp.vendor]
    avps = [
        *session,
        write("Result-Code", answer.result),
        write("Origin-Host", identity.host),
        write("Origin-Realm", identity.realm),
        *answer.avps,
    ]
    body = join_avps(avps) + answer.tail + join_avps(proxies)
    return encode_header(header._replace(flags=flags), HEADER_BYTES + len(body)) + body


def refusal(error: UnableToReadMessage) -> Answer:
    """Return what a request that cannot be read is answered with."""
    avps = [write("Error-Message", str(error)[:_WORDS_MAX])]
    if error.failed:
        avps.append(write("Failed-AVP", error.failed))
    return Answer(error.result, avps)


def refused(result: Result, words: str, failed: Sequence[Avp] = ()) -> Answer:
    """Return an answer that says no."""
    return refusal(UnableToReadMessage(result, words, failed=failed))


def capabilities(identity: Identity, addresses: Sequence[str]) -> list[Avp]:
    """Return what a capabilities exchange says of us, besides who we are."""
    auth = [each for each in identity.applications if each != Application.ACCOUNTING]
    return write_all({
        "Host-IP-Address": list(addresses),
        "Vendor-Id": 0,
        "Product-Name": identity.product,
        "Origin-State-Id": identity.origin_state_id,
        "Supported-Vendor-Id": [10415],
        "Auth-Application-Id": auth,
        "Inband-Security-Id": [0],
        "Acct-Application-Id": [each for each in identity.applications if each == Application.ACCOUNTING],
    })  # fmt: skip


def applications_of(said: Group) -> set[int]:
    """Return the applications that a capabilities exchange names, also within Vendor-Specific-Application-Id."""
    found: set[int] = set()
    for group in [said, *said.all("Vendor-Specific-Application-Id")]:
        found.update(group.all("Auth-Application-Id"))
        found.update(group.all("Acct-Application-Id"))
    return found


def encode_request(
    identity: Identity, command: Command, ids: tuple[int, int], avps: Sequence[Avp], *, application: int = 0
) -> bytes:
    """Return a request of ours; one of an application has its Session-Id first in `avps`.

    Args:
        ids: hop-by-hop and end-to-end.
    """
    who = [write("Origin-Host", identity.host), write("Origin-Realm", identity.realm)]
    first, rest = ([], list(avps)) if not application else ([avps[0]], list(avps[1:]))
    flags = REQUEST | (PROXIABLE if application else 0)
    header = Header(flags, command, application, *ids)
    return encode_message(Message(header, (*first, *who, *rest)))
