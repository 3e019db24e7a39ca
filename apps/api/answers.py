"""What a sender is told of a body that was taken: counts, and each refused record by its place in the body."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import Response

from apps.api.problems import Problem
from apps.embedded.posted import Receipt, Refused
from schemas.rejection import EXPLANATIONS, Stage


class RefusedRecord(BaseModel):
    """One record that did not become a rated item, and why."""

    index: int = Field(description="place of the record in the body, from 0; headers and blank lines are no records")
    id: str = Field(description="id of the rejection, for `octroi rejects`")
    code: str = Field(description="stable reason code")
    reason: str = Field(description="what the code means")
    detail: str = Field(description="what is wrong with this record")
    stage: str = Field(description="decode, resource or account")
    outcome: str = Field(
        description="what the record is counted as: rejected, parked, or accepted when its EDR is unrated"
    )


class Answer(BaseModel):
    """What became of a body; it is stored. received = accepted + absorbed + duplicates + superseded + filtered + refused."""

    claim: int = Field(description="number of the body in the log")
    source: str
    received: int = Field(description="records in the body")
    accepted: int = Field(description="records that became EDRs")
    absorbed: int
    duplicates: int = Field(description="records that were known, with the same content")
    superseded: int
    filtered: int = Field(description="records that a filter of the source excludes")
    parked: int = Field(description="records among `rejected` that wait for a decision")
    rated: int = Field(description="EDRs that were priced")
    rejected: list[RefusedRecord] = Field(description="records that were refused or parked")
    unrated: list[RefusedRecord] = Field(description="accepted records whose EDR could not be priced")
    omitted: int = Field(
        description="refusals that are not listed because they are too many; `octroi rejects list` has them"
    )


_COUNTS = {
    "received": "received",
    "accepted": "accepted",
    "absorbed": "absorbed",
    "duplicates": "duplicate",
    "superseded": "superseded",
    "filtered": "filtered",
    "parked": "parked",
    "rated": "rated",
}


def answer_of(receipt: Receipt) -> dict[str, Any]:
    """Return the answer to a body, ready for JSON.

    Raises:
        Problem: undecodable-body, when nothing of it was processed.
    """
    if receipt.quarantine is not None:
        refusal = receipt.quarantine
        raise Problem("undecodable-body", refusal.message, code=refusal.code, claim=receipt.claim)
    listed = [(item.stage is Stage.ACCOUNT, _refused_record(receipt.claim, item)) for item in receipt.refused]
    return {
        "claim": receipt.claim,
        "source": receipt.source,
        **{name: receipt.sums[column] for name, column in _COUNTS.items()},
        "rejected": [item for is_unrated, item in listed if not is_unrated],
        "unrated": [item for is_unrated, item in listed if is_unrated],
        "omitted": receipt.refused_count - len(receipt.refused),
    }


def _refused_record(claim: int, item: Refused) -> dict[str, Any]:
    return {
        "index": item.record,
        "id": f"{claim}-{item.record}" + (f"-{item.branch}" if item.branch else ""),
        "code": item.reason.name,
        "reason": EXPLANATIONS[item.reason],
        "detail": item.detail,
        "stage": item.stage.name.lower(),
        "outcome": item.outcome.name.lower(),
    }


def accepted(receipt: Receipt) -> Response:
    """Return the response to a body; raises as `answer_of` does."""
    content = json.dumps(answer_of(receipt), ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, 202, media_type="application/json")
