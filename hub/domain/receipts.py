"""The one answer that every input record gets: what became of it, as a code and as a sentence in two languages."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from hub.domain.codes import SENTENCES
from hub.domain.events import InputRefused
from hub.domain.facts import ReceiptIssued
from hub.domain.identifiers import RecordId, TenantId
from hub.domain.words import ReceiptOutcome

_WORD: Final = re.compile(r"(?<!^)(?=[A-Z])")

OUTCOME_OF: Final[Mapping[str, ReceiptOutcome]] = {
    "applied": ReceiptOutcome.ACCEPTED,
    "applied_not_comparable": ReceiptOutcome.ACCEPTED,
    "repeated": ReceiptOutcome.DUPLICATE,
    "older_version": ReceiptOutcome.STALE,
    "same_version_other_content": ReceiptOutcome.CONFLICT,
}
"""Every code that is not here is a refusal."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an input was judged: a code of hub/domain/codes.py, and the field it speaks of as a JSON pointer."""

    code: str
    pointer: str = ""

    @property
    def outcome(self) -> ReceiptOutcome:
        """What the code amounts to."""
        return OUTCOME_OF.get(self.code, ReceiptOutcome.REFUSED)

    @property
    def applied(self) -> bool:
        """Whether the record changed what the region holds."""
        return self.outcome is ReceiptOutcome.ACCEPTED


APPLIED: Final = Verdict("applied")
NOT_COMPARABLE: Final = Verdict("applied_not_comparable")
REPEATED: Final = Verdict("repeated")
STALE: Final = Verdict("older_version")
TAKEN_OVER: Final = Verdict("taken_over")
CONFLICT: Final = Verdict("same_version_other_content")


def record_type(kind: type[Any]) -> str:
    """The published name of an event's type: reverse DNS without an organisation, one version (NL GOV profile)."""
    return _published(kind.__name__)


@lru_cache(maxsize=64)
def _published(name: str) -> str:
    return f"nl.kraamzorg.{_WORD.sub('-', name).lower()}.v1"


def receipt_for(event: Any, tenant: TenantId, verdict: Verdict) -> ReceiptIssued:
    """The receipt of an input that a region judged."""
    record_id: RecordId | None = getattr(event, "record_id", None)
    return _receipt(
        tenant, record_type(type(event)), record_id, getattr(event, "version", None), verdict.outcome, verdict
    )


def receipt_for_refusal(event: InputRefused, tenant: TenantId) -> ReceiptIssued:
    """The receipt of an input that never reached a region: its bytes or its fields were not fit to."""
    outcome = ReceiptOutcome.UNREADABLE if event.unreadable else ReceiptOutcome.REFUSED
    return _receipt(
        tenant, event.record_type, event.record_id, event.version, outcome, Verdict(event.code, event.pointer)
    )


def _receipt(
    tenant: TenantId,
    kind: str | None,
    record_id: RecordId | None,
    version: int | None,
    outcome: ReceiptOutcome,
    verdict: Verdict,
) -> ReceiptIssued:
    sentence = SENTENCES[verdict.code]
    return ReceiptIssued(
        recipient=tenant,
        record_type=kind,
        record_id=record_id,
        version=version,
        outcome=outcome,
        code=verdict.code,
        pointer=verdict.pointer,
        message_nl=sentence.nl,
        message_en=sentence.en,
    )
