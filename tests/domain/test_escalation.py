"""Alerts as episodes: one identity, whole days, never twice for one thing."""

from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.colour_code import ColourState, Judgement, Mediation, Reason, ReasonCode, Truth
from hub.domain.escalation import (
    COLOUR_KINDS,
    FIRST_STEP,
    SEVERITY,
    WHAT,
    AlertBook,
    AlertChange,
    Condition,
    colour_conditions,
)
from hub.domain.identifiers import Agb, RegionCode, TenantId, parse_month
from hub.domain.region_plan import AlertRules
from hub.domain.words import AlertKind, AlertState, ComputedColour, Mediator

HERE = RegionCode("KSV-01")
KSV = TenantId("ksv-01")
DAY = date(2026, 3, 2)
RULES = AlertRules()
C, K, S = ComputedColour, AlertKind, AlertState
APRIL, MAY = parse_month("2026-04"), parse_month("2026-05")
INSURER, NOBODY = Mediation(Mediator.INSURER, "S1 rule 30"), Mediation(Mediator.NONE, "rule 30")
GROUND = {
    C.ORANGE_THREAT: ReasonCode.NEAR_SHORT_OF_MEAN,
    C.ORANGE: ReasonCode.SHORT_OF_MEAN,
    C.RED_THREAT: ReasonCode.REGION_NEAR_UNABLE,
    C.RED_A: ReasonCode.REGION_UNABLE,
    C.RED_B: ReasonCode.ALL_FULL,
    C.GREEN: ReasonCode.NO_SHORTAGE,
    C.UNKNOWN: ReasonCode.CAPACITY_UNKNOWN,
}


def judged(colour: ComputedColour, *more: Reason) -> Judgement:
    """A judgement with one ground, about April."""
    reasons = (Reason(code=GROUND[colour], month=APRIL), *more)
    return Judgement(
        state=ColourState(colour=colour, since=DAY), reasons=reasons, red_a=Truth.NO, red_b=Truth.NO, months=()
    )


class Story:
    """A region whose colour changes from day to day."""

    def __init__(self) -> None:
        self.book = AlertBook(HERE)
        self.day = DAY
        self.told: list[AlertChange] = []

    def sees(self, colour: ComputedColour, *more: Reason, mediation: Mediation = INSURER) -> list[tuple[str, str]]:
        """What a judgement changes: kind and state."""
        conditions = colour_conditions(HERE, judged(colour, *more), mediation)
        return self.tell(self.book.observe(conditions, COLOUR_KINDS, self.day, RULES))

    def days(self, count: int) -> list[tuple[str, str]]:
        """Days pass; what they change."""
        changes = []
        for _ in range(count):
            self.day += timedelta(days=1)
            changes += self.tell(self.book.start_day(self.day, RULES))
        return changes

    def tell(self, changes: tuple[AlertChange, ...]) -> list[tuple[str, str]]:
        """Remembers what was told."""
        self.told.extend(changes)
        return [(c.episode.kind.value, c.episode.state.value) for c in changes]


@pytest.mark.parametrize(
    ("colour", "opens"),
    [
        (C.GREEN, []),
        (C.ORANGE_THREAT, ["code_orange_threat"]),
        (C.ORANGE, ["code_orange"]),
        (C.RED_THREAT, ["code_red_threat"]),
        (C.RED_A, ["code_red"]),
        (C.RED_B, ["code_red"]),
        (C.UNKNOWN, ["capacity_unknown"]),
    ],
)
def test_one_colour_opens_one_alert(colour: ComputedColour, opens: list[str]) -> None:
    """The gravest speaks."""
    assert Story().sees(colour) == [(kind, "opened") for kind in opens]


def test_red_without_a_plan_alerts_that_nobody_mediates() -> None:
    """Rule 30."""
    assert ("no_mediator_named", "opened") in Story().sees(C.RED_A, mediation=NOBODY)


def test_that_all_are_full_is_told_at_once_and_asks_for_a_talk_with_the_insurers() -> None:
    """Rule 15; once, also where red stood already and its months are the same."""
    story = Story()
    assert story.sees(C.RED_A) == [("code_red", "opened")]
    assert "extra interventions" not in story.told[-1].next_step.en
    assert story.sees(C.RED_B) == [("code_red", "revised")]
    assert "extra interventions" in story.told[-1].next_step.en
    assert story.sees(C.RED_A) == story.sees(C.RED_B) == []


def test_a_false_vol_is_an_alert_about_that_provider() -> None:
    """Rule 13; one alert, however many months it claims."""
    story = Story()
    lies = [Reason(code=ReasonCode.CLAIM_CONTRADICTED, month=m, provider=Agb("41000001")) for m in (APRIL, MAY)]
    assert story.sees(C.GREEN, *lies) == [("false_full_claim", "opened")]
    assert story.told[0].episode.subject == "41000001"


def test_worse_and_better_again_is_told_once_on_each_step() -> None:
    """On the way up each graver alert opens beside the others; on the way down they close one by one."""
    story = Story()
    assert story.sees(C.ORANGE) == [("code_orange", "opened")]
    assert story.sees(C.RED_A) == [("code_red", "opened")]
    assert story.sees(C.ORANGE) == [("code_red", "closed")]
    assert story.sees(C.ORANGE) == []
    assert story.sees(C.GREEN) == [("code_orange", "closed")]


def test_a_cause_that_flickers_is_one_episode() -> None:
    """It closes after a quiet week, and opens anew only after that, under another identity."""
    story = Story()
    story.sees(C.ORANGE_THREAT)
    for _ in range(5):
        assert story.sees(C.GREEN) == []
        assert story.days(6) == []
        assert story.sees(C.ORANGE_THREAT) == []
    story.sees(C.GREEN)
    assert story.days(7) == [("code_orange_threat", "closed")]
    assert story.sees(C.ORANGE_THREAT) == [("code_orange_threat", "opened")]
    assert len({change.episode.alert_id for change in story.told}) == 2


def test_another_month_is_a_revision_at_most_once_a_week() -> None:
    """What moves is told, not chattered."""
    story = Story()
    in_may = Reason(code=ReasonCode.SHORT_OF_MEAN, month=MAY)
    story.sees(C.ORANGE)
    story.book.acknowledge(story.told[0].episode.alert_id, KSV, story.day, RULES)
    assert story.sees(C.ORANGE, in_may) == []
    story.days(6)
    assert story.sees(C.ORANGE, in_may) == []
    story.days(1)
    assert story.sees(C.ORANGE, in_may) == [("code_orange", "revised")]
    assert story.told[-1].episode.detail == ("2026-04", "2026-05")
    assert story.sees(C.ORANGE, in_may) == []


class TestClock:
    """Escalation by whole days."""

    def test_nobody_answers_and_it_goes_up_the_line(self) -> None:
        """Critical: after 2 days the lead insurers, after 7 Bo; then the line ends."""
        story = Story()
        story.sees(C.RED_A)
        assert story.days(1) == []
        assert story.days(1) == [("code_red", "escalated")]
        assert "preferente zorgverzekeraars" in story.told[-1].next_step.nl
        assert story.days(4) == []
        assert story.days(1) == [("code_red", "escalated")]
        assert "Bo Geboortezorg" in story.told[-1].next_step.en
        assert story.days(60) == []

    def test_a_plan_with_fewer_steps_may_come_while_an_alert_stands_high(self) -> None:
        """It goes on with whoever is the last in the new line."""
        story = Story()
        story.sees(C.RED_A)
        story.days(7)
        assert "Bo Geboortezorg" in story.told[-1].next_step.en
        grown = judged(C.RED_A, Reason(code=ReasonCode.REGION_UNABLE, month=MAY))
        conditions = colour_conditions(HERE, grown, INSURER)
        for steps, said in ((RULES.critical[:1], "lead insurers"), ((), "Coordinator: distribute")):
            rules = AlertRules(critical=steps, revise_after_days=0)
            (change,) = story.book.observe(conditions, COLOUR_KINDS, story.day, rules)
            assert said in change.next_step.en
            conditions = colour_conditions(HERE, judged(C.RED_A), INSURER)

    def test_an_acknowledged_alert_rests(self) -> None:
        """Two weeks after the acknowledgement its clock goes on, if the cause is still there."""
        story = Story()
        story.sees(C.RED_A)
        (alert,) = (change.episode.alert_id for change in story.told)
        change = story.book.acknowledge(alert, KSV, story.day, RULES)
        assert change is not None
        assert (change.episode.state, change.episode.acknowledged_by) == (S.ACKNOWLEDGED, KSV)
        assert story.days(13) == []
        assert story.days(1) == [("code_red", "escalated")]

    def test_to_acknowledge_twice_or_what_is_closed_changes_nothing(self) -> None:
        """The first one counts."""
        story = Story()
        story.sees(C.RED_A)
        alert = story.told[0].episode.alert_id
        assert story.book.acknowledge(alert, KSV, story.day, RULES) is not None
        assert story.book.acknowledge(alert, KSV, story.day, RULES) is None
        story.sees(C.GREEN)
        assert story.book.acknowledge(alert, KSV, story.day, RULES) is None

    def test_a_threat_of_orange_is_for_information_and_climbs_nowhere(self) -> None:
        """No clock."""
        story = Story()
        story.sees(C.ORANGE_THREAT)
        assert story.days(90) == []

    def test_an_alert_whose_cause_is_away_does_not_climb(self) -> None:
        """It waits for its quiet days only."""
        story = Story()
        story.sees(C.UNKNOWN)
        story.days(6)
        story.sees(C.GREEN)
        assert story.days(7) == [("capacity_unknown", "closed")]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(C), st.integers(0, 9), st.booleans()), max_size=30))
def test_every_episode_opens_once_closes_once_and_says_nothing_after(
    history: list[tuple[ComputedColour, int, bool]],
) -> None:
    """In any history of colours, days and acknowledgements; and a book restored from its parts goes on alike."""
    story = Story()
    for colour, days, acknowledges in history:
        story.sees(colour)
        if acknowledges:
            for episode in story.book.open_episodes():
                change = story.book.acknowledge(episode.alert_id, KSV, story.day, RULES)
                story.tell((change,) if change else ())
        restored = AlertBook(HERE)
        restored.restore({n: p for n, p in _all_parts(story.book).items() if p is not None})
        assert restored.open_episodes() == story.book.open_episodes()
        story.book = restored
        story.days(days)
    by_alert: dict[str, list[AlertState]] = {}
    for told in story.told:
        by_alert.setdefault(told.episode.alert_id, []).append(told.episode.state)
    for states in by_alert.values():
        assert states[0] is S.OPENED
        counts = Counter(states)
        assert counts[S.OPENED] == 1
        assert counts[S.CLOSED] <= 1
        assert S.CLOSED not in states[:-1]
    still_open = {e.alert_id for e in story.book.open_episodes()}
    assert still_open == {alert for alert, states in by_alert.items() if states[-1] is not S.CLOSED}
    assert len({(e.kind, e.subject) for e in story.book.open_episodes()}) == len(still_open)


def _all_parts(book: AlertBook) -> dict[str, bytes | None]:
    """Every part, whether it changed or not."""
    for key, row in book._rows.items():
        book._rows.put(key, row)
    for key, number in book._opened.items():
        book._opened.put(key, number)
    return book.changed_parts()


HELD = Condition(kind=K.TENANT_HELD, subject="pkg-alfa", clause="PROPOSAL")


def held_again(book: AlertBook, times: int) -> list[str]:
    """Identities of the episodes of a cause that comes and stays away for good, some times over."""
    found = []
    for n in range(times):
        day = DAY + timedelta(days=100 * n)
        (change,) = book.observe([HELD], [K.TENANT_HELD], day, RULES)
        found.append(change.episode.alert_id)
        book.observe([], [K.TENANT_HELD], day, RULES)
        assert book.start_day(day + timedelta(days=50), RULES)[0].episode.state is S.CLOSED
    return found


def test_an_identity_is_never_used_again_and_tells_no_place_in_the_log() -> None:
    """It follows from the region, the cause and how many alerts the region has had; a restored book counts on."""
    book = AlertBook(HERE)
    first = held_again(book, 3)
    assert len(set(first)) == 3
    restored = AlertBook(HERE)
    restored.restore({name: part for name, part in book.changed_parts().items() if part is not None})
    assert not set(held_again(restored, 1)) & set(first)
    assert held_again(AlertBook(HERE), 3) == first
    assert not set(held_again(AlertBook(RegionCode("KSV-02")), 3)) & set(first)


def test_kinds_that_were_not_asked_for_are_left_alone() -> None:
    """A judgement of colours says nothing about a held tenant."""
    story = Story()
    held = Condition(kind=K.TENANT_HELD, subject="pkg-alfa", clause="PROPOSAL")
    story.tell(story.book.observe([held], [K.TENANT_HELD], DAY, RULES))
    assert story.sees(C.GREEN) == []
    assert story.days(6) == []


def test_every_kind_has_a_severity_and_sentences_in_both_languages() -> None:
    """What is the matter, and what to do."""
    assert set(SEVERITY) == set(WHAT) == set(FIRST_STEP) == set(K)
    for sentence in (*WHAT.values(), *FIRST_STEP.values()):
        assert sentence.nl != sentence.en
        assert sentence.nl.endswith(".")
        assert sentence.en.endswith(".")


def told_first(colour: ComputedColour, *reasons: Reason, clients: int = 0) -> AlertChange:
    """The first change of a region that got this colour for these reasons."""
    judgement = Judgement(
        state=ColourState(colour=colour, since=DAY), reasons=reasons, red_a=Truth.NO, red_b=Truth.NO, months=()
    )
    conditions = colour_conditions(HERE, judgement, INSURER, {APRIL: clients, MAY: clients})
    return AlertBook(HERE).observe(conditions, COLOUR_KINDS, DAY, RULES)[0]


SHORT = Reason(code=ReasonCode.SHORT_OF_MEAN, month=APRIL, permille=624, load_minutes=72_600, capacity_minutes=69_000)


def test_an_alert_says_what_is_wrong_since_when_for_whom_and_what_to_do_now() -> None:
    """At three in the night nobody looks up a code."""
    change = told_first(C.ORANGE, SHORT, Reason(code=ReasonCode.SHORT_OF_MEAN, month=MAY), clients=31)
    assert change.what.nl == (
        "KSV-01: Code oranje: niet iedere cliënt kan de gemiddelde zorgduur krijgen. In april 2026 is 1.210 uur zorg "
        "nodig en 1.150 uur inzetbaar; de kans op een tekort is 62 %."
    )
    assert change.what.en == (
        "KSV-01: Code orange: not every client can get the region's mean care duration. In April 2026 1,210 hours of "
        "care are needed and 1,150 are deployable; the chance of a shortfall is 62 %."
    )
    assert change.episode.since == DAY
    assert (
        change.affected.nl == "Cliënten die in april 2026 en mei 2026 bevallen, nu 62 ingeschreven, en hun aanbieders."
    )
    assert change.affected.en.startswith("Clients who give birth in April 2026 and May 2026, 62 registered so far")
    assert change.next_step.en.startswith("KSV: call the meeting")


def test_few_clients_are_not_counted_in_an_alert() -> None:
    """A count that is not told stays untold here too (fewer than five)."""
    assert "registered" not in told_first(C.ORANGE, SHORT).affected.en


def test_figures_of_one_provider_stand_in_no_alert() -> None:
    """Competitors read the topic's summary on the page: the region's own figures only."""
    own = Reason(
        code=ReasonCode.PROVIDER_FULL, month=APRIL, provider=Agb("41000001"),
        permille=900, load_minutes=6_000, capacity_minutes=600,
    )  # fmt: skip
    change = told_first(C.RED_A, own)
    assert change.episode.figures is None
    assert "100" not in change.what.en


def test_a_false_vol_names_the_provider_and_no_figure() -> None:
    """Whoever claimed it is told of by its code."""
    lie = Reason(code=ReasonCode.CLAIM_CONTRADICTED, month=APRIL, provider=Agb("41000001"))
    assert told_first(C.GREEN, lie).what.en.startswith("Provider 41000001: A provider says that it is full")


def test_what_is_told_again_is_told_with_the_figures_of_that_day() -> None:
    """An escalation or a closing names what was last seen, not what was seen at the opening."""
    story = Story()
    story.sees(C.ORANGE)
    judgement = judged(C.ORANGE)
    later = Judgement(state=judgement.state, reasons=(SHORT,), red_a=Truth.NO, red_b=Truth.NO, months=())
    assert story.book.observe(colour_conditions(HERE, later, INSURER), COLOUR_KINDS, story.day, RULES) == ()
    assert story.days(7) == [("code_orange", "escalated")]
    assert "1.210 uur" in story.told[-1].what.nl
    assert story.sees(C.GREEN) == [("code_orange", "closed")]
    assert story.told[-1].next_step.en == "Closed; nothing is left to do."


def test_figures_and_months_of_an_alert_are_told_together() -> None:
    """Other months wait for their revision, and their figures with them: no figures of May for clients of April."""
    story = Story()
    story.sees(C.ORANGE)
    of_may = Reason(code=ReasonCode.SHORT_OF_MEAN, month=MAY, permille=900, load_minutes=60_000, capacity_minutes=6_000)
    other = Judgement(state=judged(C.ORANGE).state, reasons=(of_may,), red_a=Truth.NO, red_b=Truth.NO, months=())
    story.days(6)
    assert story.book.observe(colour_conditions(HERE, other, INSURER), COLOUR_KINDS, story.day, RULES) == ()
    assert story.days(1) == [("code_orange", "escalated")]
    told = story.told[-1]
    assert "April" in told.affected.en and "May" not in told.what.en
