"""Nothing of the domain is without a word on the page, in either language."""

from collections.abc import Mapping
from enum import StrEnum

import pytest

from hub.console.words import (
    ALERT,
    CAUSE,
    COMPUTED,
    DECLARED,
    MEDIATOR,
    OUTCOME,
    PROPOSED,
    REASON,
    SEVERITY,
    STATE,
    TEXT,
    Language,
    say,
)
from hub.domain.colour_code import CLAUSES, ReasonCode
from hub.domain.region import HELD_CLAUSE, TIPPING
from hub.domain.words import (
    AlertKind,
    AlertSeverity,
    AlertState,
    ComputedColour,
    DeclaredColour,
    Mediator,
    ReceiptOutcome,
)

TABLES: list[tuple[type[StrEnum], Mapping[StrEnum, tuple[str, str]]]] = [
    (ComputedColour, COMPUTED),  # type: ignore[list-item]
    (DeclaredColour, DECLARED),  # type: ignore[list-item]
    (Mediator, MEDIATOR),  # type: ignore[list-item]
    (AlertKind, ALERT),  # type: ignore[list-item]
    (AlertSeverity, SEVERITY),  # type: ignore[list-item]
    (AlertState, STATE),  # type: ignore[list-item]
    (ReceiptOutcome, OUTCOME),  # type: ignore[list-item]
    (ReasonCode, REASON),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("words", "table"), TABLES)
def test_every_word_of_the_domain_is_said_in_both_languages(
    words: type[StrEnum], table: Mapping[StrEnum, tuple[str, str]]
) -> None:
    """A new word in the domain fails here before it fails at night."""
    assert set(table) == set(words)
    assert all(say(pair, Language.NL) and say(pair, Language.EN) for pair in table.values())


def test_whatever_can_tip_a_region_has_a_name_for_people() -> None:
    """A new type of input fails here before it shows as a class name."""
    assert set(CAUSE) == {"DayStarted", *(kind.__name__ for kind in TIPPING)}


def test_what_is_our_own_proposal_is_named_in_both_languages() -> None:
    """A clause of ours is a few English words behind PROPOSAL; a Dutch reader gets Dutch ones."""
    ours = {clause.removeprefix("PROPOSAL: ") for clause in (*CLAUSES.values(), HELD_CLAUSE) if "PROPOSAL" in clause}
    assert set(PROPOSED) == ours


def test_every_fixed_text_is_said_in_both_languages() -> None:
    """Also the sentences around them."""
    assert all(dutch.strip() and english.strip() for dutch, english in TEXT.values())
