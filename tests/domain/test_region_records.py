"""Registrations in front of the fold: mandates, versions, receipts, settlements, moves (DESIGN spine 3, 4, 7)."""

from datetime import date
from typing import Any

import pytest

from hub.contracts.catalogue import INPUT_KINDS
from hub.contracts.codec import type_name
from hub.domain import events as e
from hub.domain.codes import SENTENCES
from hub.domain.facts import DayClosed, ReceiptIssued
from hub.domain.identifiers import NATIONAL, RecordId
from hub.domain.receipts import record_type
from hub.domain.region import RULES
from hub.domain.words import CareEndReason, ReceiptOutcome, RegistrationStatus, SettledOutcome
from tests.domain.region_world import (
    ALFA,
    BETA,
    CLOCK,
    DAY_1,
    HERE,
    OFFICE,
    ROOS,
    THERE,
    World,
    care,
    changed,
    day,
    ended,
    mandate,
    of_type,
    registration,
    registration_ref,
    waiting,
)


def receipt(facts: list[object]) -> ReceiptIssued:
    """The one receipt among the facts; it stands first."""
    found = of_type(facts, ReceiptIssued)
    assert len(found) == 1
    assert facts[0] is found[0]
    return found[0]


def settled(facts: list[object]) -> list[tuple[int, SettledOutcome]]:
    """What the match fold is told: (version, outcome)."""
    return [(fact.record.version, fact.outcome) for fact in of_type(facts, e.RecordSettled)]


@pytest.fixture
def world() -> World:
    """Roos lets Alfa publish for her."""
    world = World()
    world.mandate(ROOS, ALFA)
    return world


def test_every_input_type_has_a_rule() -> None:
    """No type can reach the fold without one; days have their own."""
    assert set(RULES) | {e.DayStarted} == set(INPUT_KINDS)


@pytest.mark.parametrize("kind", sorted(INPUT_KINDS, key=str))
def test_receipts_name_types_as_the_codec_does(kind: type[Any]) -> None:
    """One name for one type, in headers and in receipts."""
    assert record_type(kind) == type_name(kind)


def test_a_registration_is_admitted_receipted_and_settled_active(world: World) -> None:
    """One judge, one outcome."""
    facts = world.given(registration(), ALFA)
    assert (receipt(facts).outcome, receipt(facts).code) == (ReceiptOutcome.ACCEPTED, "applied")
    assert receipt(facts).recipient == ALFA
    assert settled(facts) == [(1, SettledOutcome.ACTIVE)]


def test_a_receipt_says_the_same_in_two_languages(world: World) -> None:
    """The sentences are those of the code."""
    said = receipt(world.given(registration(), ALFA))
    assert (said.message_nl, said.message_en) == SENTENCES["applied"]


def test_only_the_home_copy_issues_the_receipt() -> None:
    """A fan-out type gets its receipt in NL, once."""
    facts = World().given(mandate(ROOS, ALFA), OFFICE, home=False)
    assert facts == []


@pytest.mark.parametrize(
    ("version", "change", "code", "outcome"),
    [
        (2, {"indicated_minutes": 60}, "applied", ReceiptOutcome.ACCEPTED),
        (1, {}, "repeated", ReceiptOutcome.DUPLICATE),
        (1, {"indicated_minutes": 60}, "same_version_other_content", ReceiptOutcome.CONFLICT),
        (3, {}, "applied", ReceiptOutcome.ACCEPTED),
    ],
)
def test_the_version_rule(
    world: World, version: int, change: dict[str, Any], code: str, outcome: ReceiptOutcome
) -> None:
    """Higher applies, equal repeats or conflicts (spine 7)."""
    world.given(registration(), ALFA)
    said = receipt(world.given(registration(version=version, **change), ALFA))
    assert (said.code, said.outcome) == (code, outcome)


def test_a_lower_version_is_stale_and_changes_nothing(world: World) -> None:
    """Late messages do no harm."""
    world.given(registration(version=2), ALFA)
    before = world.state.changed_parts()
    facts = world.given(registration(version=1, indicated_minutes=60), ALFA)
    assert receipt(facts).outcome is ReceiptOutcome.STALE
    assert before
    assert world.state.changed_parts() == {}


def test_a_registration_that_cannot_be_compared_is_applied_and_its_sender_told(world: World) -> None:
    """A duplicate would stay unseen; one that is withdrawn needs no comparing any more."""
    said = receipt(world.given(registration(), ALFA, comparable=False))
    assert (said.code, said.outcome) == ("applied_not_comparable", ReceiptOutcome.ACCEPTED)
    withdrawn = registration(version=2, status=RegistrationStatus.WITHDRAWN)
    assert receipt(world.given(withdrawn, ALFA, comparable=False)).code == "applied"


def test_a_year_of_care_in_one_days_records_does_not_stop_the_region(world: World) -> None:
    """A vendor's mistake that adds up beyond what the forecast can count."""
    world.given(registration(due_date=day(1)), ALFA)
    for number in range(60):
        world.given(care(f"c{number}", physical_minutes=12_000, employed_minutes=0), ALFA)
    assert receipt(world.given(ended(), ALFA)).code == "applied"


def test_two_tenants_and_two_providers_number_their_records_apart(world: World) -> None:
    """The key is (tenant, provider, type, record id)."""
    world.mandate(ROOS, BETA)
    world.given(registration(), ALFA)
    assert receipt(world.given(registration(indicated_minutes=60), BETA)).code == "applied"


def test_without_a_mandate_a_registration_is_refused_and_settled_refused(world: World) -> None:
    """A package speaks for a provider by mandate only; its record may come again once there is one."""
    facts = world.given(registration(), BETA)
    assert (receipt(facts).code, receipt(facts).pointer) == ("no_mandate", "/provider")
    assert settled(facts) == [(1, SettledOutcome.REFUSED)]
    world.mandate(ROOS, BETA)
    assert receipt(world.given(registration(), BETA)).code == "applied"


@pytest.mark.parametrize(
    ("valid_from", "valid_until", "code"),
    [
        (DAY_1, DAY_1, "applied"),
        (day(2), None, "no_mandate"),
        (date(2020, 1, 1), date(2026, 3, 1), "no_mandate"),
    ],
)
def test_a_mandate_counts_by_the_regions_current_day(valid_from: date, valid_until: date | None, code: str) -> None:
    """Validity is judged by the clock of the log."""
    world = World()
    world.mandate(ROOS, ALFA, valid_from=valid_from, valid_until=valid_until)
    world.starts_day(DAY_1)
    assert receipt(world.given(registration(), ALFA)).code == code


def test_before_the_first_day_every_mandate_counts() -> None:
    """A package may load before the clock has spoken."""
    world = World()
    world.mandate(ROOS, ALFA, valid_from=day(400))
    assert receipt(world.given(registration(), ALFA)).code == "applied"


def test_a_mandate_for_somebody_who_is_no_package_is_refused() -> None:
    """The tables say who may hold one."""
    world = World(NATIONAL)
    said = receipt(world.given(mandate(ROOS, OFFICE), OFFICE))
    assert (said.code, said.pointer) == ("unknown_tenant", "/mandate_tenant")


@pytest.mark.parametrize(
    ("status", "by_transfer"), [(RegistrationStatus.WITHDRAWN, False), (RegistrationStatus.TRANSFERRED, True)]
)
def test_a_withdrawn_registration_is_settled_closed(
    world: World, status: RegistrationStatus, by_transfer: bool
) -> None:
    """The match fold ends its links, and knows why."""
    world.given(registration(), ALFA)
    facts = world.given(registration(version=2, status=status), ALFA)
    assert settled(facts) == [(2, SettledOutcome.CLOSED)]
    assert of_type(facts, e.RecordSettled)[0].closed_by_transfer is by_transfer


def test_care_for_a_registration_that_is_not_here_is_refused(world: World) -> None:
    """A region that does not hold the record says so (spine 3)."""
    said = receipt(world.given(care(registration_id=RecordId("other")), ALFA))
    assert (said.code, said.pointer) == ("unknown_record_here", "/registration_id")


def test_a_later_version_of_care_replaces_the_totals(world: World) -> None:
    """Totals so far are no increments."""
    world.given(registration(), ALFA)
    world.given(care(physical_minutes=600, employed_minutes=600), ALFA)
    world.given(care(version=2, physical_minutes=900, employed_minutes=900), ALFA)
    rows = world.state.registrations.values()
    assert [row.physical_minutes for row in rows] == [900]
    assert [row.physical_minutes for row in world.state.delivered.values()] == [900]


def test_hospital_days_beyond_a_year_are_refused_and_do_not_stop_the_region(world: World) -> None:
    """The load forecast has a bound of its own; the fold meets it first."""
    world.given(registration(), ALFA)
    assert receipt(world.given(care(hospital_days=1000), ALFA)).code == "impossible_count"
    assert receipt(world.given(waiting(hospital_days=1000), ALFA)).code == "impossible_count"


def test_ended_care_closes_the_registration_once(world: World) -> None:
    """The client stands nowhere twice any more."""
    world.given(registration(), ALFA)
    facts = world.given(ended(), ALFA)
    assert settled(facts) == [(1, SettledOutcome.CLOSED)]
    world.given(registration(version=2, status=RegistrationStatus.WITHDRAWN), ALFA)
    late = world.given(ended("x2", reason=CareEndReason.MOVED), ALFA)
    assert receipt(late).code == "already_closed"


def test_a_correction_after_the_end_of_care_does_not_undo_it(world: World) -> None:
    """The end is a record of its own: she stands nowhere twice again, and why it ended stays known (rule 5)."""
    world.given(registration(), ALFA)
    world.given(ended(reason=CareEndReason.DECLINED_BY_CLIENT), ALFA)
    corrected = world.given(registration(version=2, indicated_minutes=45 * 60), ALFA)
    assert settled(corrected) == [(2, SettledOutcome.CLOSED)]
    (row,) = world.state.registrations.values()
    assert (row.active, row.end_reason, row.indicated_minutes) == (False, CareEndReason.DECLINED_BY_CLIENT, 45 * 60)


def test_a_moved_record_closes_here_unless_it_is_newer(world: World) -> None:
    """The highest version wins; the other region closes its copy (spine 4)."""
    world.given(registration(version=2), ALFA)
    world.told(e.RecordMoved(record=registration_ref(), version=1, new_region=THERE))
    assert [row.active for row in world.state.registrations.values()] == [True]
    world.told(e.RecordMoved(record=registration_ref(), version=2, new_region=THERE))
    assert [row.active for row in world.state.registrations.values()] == [False]
    world.given(registration(version=3), ALFA)
    assert [row.active for row in world.state.registrations.values()] == [True]


def test_a_refusal_of_intake_becomes_a_receipt_in_nl() -> None:
    """Every receipt is a fact, also of what no region saw."""
    world = World(NATIONAL)
    unreadable = e.InputRefused(code="not_decodable", unreadable=True, pointer="")
    refused = e.InputRefused(
        code="invalid_agb", unreadable=False, pointer="/provider", record_type="t", record_id=RecordId("r1"), version=4
    )
    first, second = receipt(world.given(unreadable, ALFA)), receipt(world.given(refused, ALFA))
    assert (first.outcome, first.record_id) == (ReceiptOutcome.UNREADABLE, None)
    assert (second.outcome, second.record_id, second.version, second.pointer) == (
        ReceiptOutcome.REFUSED, RecordId("r1"), 4, "/provider",
    )  # fmt: skip


def test_a_day_must_follow_the_last_one() -> None:
    """The first is taken as it is; afterwards only the next (spine, clock)."""
    world = World(NATIONAL)
    assert receipt(world.starts_day(day(10))).code == "applied"
    assert receipt(world.starts_day(day(10))).code == "day_not_next"
    assert receipt(world.starts_day(day(12))).code == "day_not_next"
    assert receipt(world.starts_day(day(9))).code == "day_not_next"
    assert receipt(world.starts_day(day(11))).code == "applied"
    assert world.state.day == day(11)


@pytest.mark.parametrize("region", [HERE, NATIONAL])
def test_a_day_ends_with_one_answer_to_the_clock(region: str) -> None:
    """The simulator, and whoever waits for a day, waits for this."""
    world = World(region)  # type: ignore[arg-type]
    facts = world.starts_day(DAY_1)
    assert type(facts[-1]) is DayClosed
    assert of_type(facts, DayClosed) == [
        DayClosed(recipient=CLOCK, region=region, date=DAY_1, open_proposals=0, waiting=0)  # type: ignore[arg-type]
    ]


def test_an_expired_record_stays_known_for_two_years(world: World) -> None:
    """Nothing resurrects: the state goes, the tombstone stays 24 months after the record's end (spine 7)."""
    world.starts_day(DAY_1)
    world.given(registration(due_date=day(30)), ALFA)
    world.lives_until(day(30 + 120 + 65))
    assert len(world.state.registrations) == 0
    assert receipt(world.given(changed(registration(due_date=day(30))), ALFA)).code == "repeated"
    world.lives_until(day(30 + 120 + 731 + 65))
    assert len(world.state.versions) == 1, "the mandate has no end of its own and stays"


def test_a_registration_that_comes_anew_begins_without_care(world: World) -> None:
    """What was delivered before is gone with it: a lower total later must not take off what nobody counted."""
    world.starts_day(DAY_1)
    world.given(registration(due_date=DAY_1), ALFA)
    world.given(care(), ALFA)
    while len(world.state.registrations):
        world.lives_until(day((world.state.day or DAY_1).toordinal() - DAY_1.toordinal() + 2))
    world.given(registration(version=2, due_date=DAY_1), ALFA)
    world.given(care(version=2, physical_minutes=600, employed_minutes=600), ALFA)
    assert [row.physical_minutes for row in world.state.registrations.values()] == [600]
    assert receipt(world.given(ended(), ALFA)).code == "applied"


def test_digital_care_replaces_hours_and_extends_none(world: World) -> None:
    """Rule 11: at most 6 hours, and never beyond what was indicated."""
    world.given(registration(indicated_minutes=49 * 60), ALFA)
    counted = []
    for version, hours in enumerate((40, 45, 49, 50), 1):
        world.given(
            care(version=version, physical_minutes=hours * 60, digital_minutes=8 * 60, digital_consent=True), ALFA
        )
        counted += [row.delivered_minutes / 60 for row in world.state.registrations.values()]
    assert counted == [46, 49, 49, 50]
