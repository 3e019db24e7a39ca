"""Rows of answers that are given again to requests with an idempotency key. They are no change, and in no audit log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from billing.access.store.changes import Changes
from billing.access.store.columns import to_json
from billing.access.store.tables import ANSWERED


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer; `content` is a digest of the request that it was given to."""

    content: str
    status: int
    headers: Mapping[str, str]
    body: str


def find_answer(changes: Changes, request: str, since: int) -> Answered | None:
    """Return what was answered to a request (a digest of who and their key) since an instant (microseconds UTC)."""
    asked = select(ANSWERED).where(ANSWERED.c.request == request, ANSWERED.c.answered_at >= since)
    row = changes.connection.execute(asked).mappings().first()
    return None if row is None else Answered(row["content"], row["status"], json.loads(row["headers"]), row["body"])


def keep_answer(changes: Changes, request: str, answer: Answered, since: int) -> None:
    """Keep an answer within the transaction of what it tells; drop those from before an instant."""
    changes.connection.execute(ANSWERED.delete().where(ANSWERED.c.answered_at < since))
    row = {
        "request": request,
        "content": answer.content,
        "status": answer.status,
        "headers": to_json(dict(answer.headers)),
        "body": answer.body,
        "answered_at": changes.recorded_at,
    }
    changes.connection.execute(ANSWERED.insert(), [row])


def drop_answer(changes: Changes, request: str) -> None:
    """Keep no answer to a request any more: it came to nothing, and its key may be used again."""
    changes.connection.execute(ANSWERED.delete().where(ANSWERED.c.request == request))
