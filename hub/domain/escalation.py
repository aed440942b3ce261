"""Alerts as episodes: opened once, revised when it matters, acknowledged, escalated by whole days, closed once.

An episode has one identity from its opening to its closing; a cause that flickers is one episode, since it closes only
after the cause stayed away for the plan's quiet days. Orange and red are left slowly already, so their alerts close
with the colour. A figure that moves is told again only now and then (`AlertRules.revise_after_days`), a repeat never.

Who acts next is a person: an alert asks, it never decides (rule 35). The order of address and the clocks are plan data
(PROPOSAL).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from types import MappingProxyType

from hub.domain.colour_code import CLAUSES, Judgement, Mediation, ReasonCode
from hub.domain.identifiers import Agb, Month, RegionCode, TenantId, month_text
from hub.domain.region_plan import Addressee, AlertRules, EscalationStep
from hub.domain.shards import Shards
from hub.domain.words import AlertKind, AlertSeverity, AlertState, ComputedColour, Mediator

ALL_FULL = CLAUSES[ReasonCode.ALL_FULL]
"""The clause of red-b. That all are full by now is news, told at once in an alert that stands (S0, rule 15)."""

NOBODY_COUNTED: Mapping[Month, int] = MappingProxyType({})

EPISODES_MAX = 5_000
"""Open episodes of one region; more than one per provider and kind of a large region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a sentence about a region is told with: the gravest month, its odds, and the region's own totals.

    `clients`: registered clients due in the months concerned; 0 where so few that they are not told.
    """

    month: str
    permille: int
    load_minutes: int
    capacity_minutes: int
    clients: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that holds now and is worth an alert.

    `subject`: the region, a provider's AGB code or a tenant; never a client. `detail`: what else moves, such as the
    months affected; a change of it is worth a revision, now and then. `only_keeps`: holds an open episode open and
    opens none, since a graver alert speaks. `figures`: what it is told with; a change of them alone is not told.
    """

    kind: AlertKind
    subject: str
    clause: str
    detail: tuple[str, ...] = ()
    only_keeps: bool = False
    figures: Figures | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One alert from its opening on.

    `level`: escalation steps taken. `told_on`: day of the last change that was told. `quiet_since`: since when its
    cause is away; None while it holds.
    """

    alert_id: str
    kind: AlertKind
    subject: str
    clause: str
    since: date
    state: AlertState
    severity: AlertSeverity
    told_on: date
    detail: tuple[str, ...] = ()
    level: int = 0
    acknowledged_by: TenantId | None = None
    acknowledged_on: date | None = None
    quiet_since: date | None = None
    figures: Figures | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a person reads, in Dutch and in English."""

    nl: str
    en: str


@dataclass(frozen=True, slots=True)
class AlertChange:
    """One change of an episode, ready to be told: what is the matter, whom it affects, and what to do next."""

    episode: Episode
    what: Sentence
    affected: Sentence
    next_step: Sentence


SEVERITY: dict[AlertKind, AlertSeverity] = {
    AlertKind.CODE_ORANGE_THREAT: AlertSeverity.INFO,
    AlertKind.CODE_ORANGE: AlertSeverity.WARNING,
    AlertKind.CODE_RED_THREAT: AlertSeverity.WARNING,
    AlertKind.CODE_RED: AlertSeverity.CRITICAL,
    AlertKind.CAPACITY_UNKNOWN: AlertSeverity.WARNING,
    AlertKind.FALSE_FULL_CLAIM: AlertSeverity.WARNING,
    AlertKind.NO_MEDIATOR_NAMED: AlertSeverity.CRITICAL,
    AlertKind.MINIMAL_CARE_MISSED: AlertSeverity.CRITICAL,
    AlertKind.TENANT_HELD: AlertSeverity.WARNING,
    AlertKind.UNPLACED_URGENT: AlertSeverity.CRITICAL,
}
"""How fast a person must look (PROPOSAL)."""

LEFT_SLOWLY = (AlertKind.CODE_ORANGE, AlertKind.CODE_RED)
"""Kinds whose colour has a clock of its own for leaving: no quiet days on top."""

_LADDER = (AlertKind.CODE_ORANGE_THREAT, AlertKind.CODE_ORANGE, AlertKind.CODE_RED_THREAT, AlertKind.CODE_RED)
_STEP_OF: dict[ComputedColour, int] = {
    ComputedColour.ORANGE_THREAT: 0,
    ComputedColour.ORANGE: 1,
    ComputedColour.RED_THREAT: 2,
    ComputedColour.RED_A: 3,
    ComputedColour.RED_B: 3,
}
COLOUR_KINDS = (
    *_LADDER,
    AlertKind.CAPACITY_UNKNOWN,
    AlertKind.FALSE_FULL_CLAIM,
    AlertKind.NO_MEDIATOR_NAMED,
)
"""Kinds that `colour_conditions` answers for: absent there means that the cause is away."""


def colour_conditions(
    region: RegionCode, judgement: Judgement, mediation: Mediation, clients: Mapping[Month, int] = NOBODY_COUNTED
) -> tuple[Condition, ...]:
    """What of a judgement is worth an alert. One colour speaks; the lesser ones only keep what is open.

    `clients`: registered clients by month of birth, where there are enough of them to be told.
    """
    found = []
    step = _STEP_OF.get(judgement.state.colour)
    months = _months(judgement)
    figures = _figures(judgement, clients)
    if step is not None:
        for n, kind in enumerate(_LADDER[: step + 1]):
            # The threat of red is never below orange, red never below its threat.
            found.append(
                Condition(
                    kind=kind,
                    subject=region,
                    clause=next(iter(judgement.clauses), ""),
                    detail=months if n == step else (),
                    only_keeps=n < step,
                    figures=figures if n == step else None,
                )
            )
    if judgement.state.colour is ComputedColour.UNKNOWN:
        found.append(Condition(kind=AlertKind.CAPACITY_UNKNOWN, subject=region, clause="S3 rule 16"))
    for provider, clause in _contradicted(judgement):
        found.append(Condition(kind=AlertKind.FALSE_FULL_CLAIM, subject=provider, clause=clause))
    if mediation.mediator is Mediator.NONE:
        found.append(Condition(kind=AlertKind.NO_MEDIATOR_NAMED, subject=region, clause=mediation.clause))
    return tuple(found)


_GRAVE = (
    ReasonCode.ALL_FULL,
    ReasonCode.PROVIDER_FULL,
    ReasonCode.PROVIDER_UNABLE,
    ReasonCode.REGION_UNABLE,
    ReasonCode.REGION_NEAR_UNABLE,
    ReasonCode.PROVIDER_NEAR_UNABLE,
    ReasonCode.GUIDELINE_FULL,
    ReasonCode.SHORT_OF_MEAN,
)


def _months(judgement: Judgement) -> tuple[str, ...]:
    """Months with a ground for orange or worse, or else those that threaten to become so."""
    asked = _GRAVE if judgement.state.colour is not ComputedColour.ORANGE_THREAT else (ReasonCode.NEAR_SHORT_OF_MEAN,)
    months: dict[Month, None] = {r.month: None for r in judgement.reasons if r.month is not None and r.code in asked}
    return tuple(month_text(month) for month in sorted(months))


def _figures(judgement: Judgement, clients: Mapping[Month, int]) -> Figures | None:
    """The gravest month by the region's own load: at minimal care where a ground of red speaks, else at the mean."""
    own = [r for r in judgement.reasons if r.provider is None and r.permille is not None and r.month is not None]
    if not own:
        return None
    gravest = own[0]
    assert gravest.month is not None and gravest.permille is not None
    assert gravest.load_minutes is not None and gravest.capacity_minutes is not None
    concerned = {r.month: None for r in judgement.reasons if r.month is not None and r.code in _GRAVE}
    return Figures(
        month=month_text(gravest.month),
        permille=gravest.permille,
        load_minutes=gravest.load_minutes,
        capacity_minutes=gravest.capacity_minutes,
        clients=sum(clients.get(month, 0) for month in concerned or {gravest.month: None}),
    )


def _contradicted(judgement: Judgement) -> Iterable[tuple[Agb, str]]:
    clauses = {
        r.provider: r.clause
        for r in judgement.reasons
        if r.code is ReasonCode.CLAIM_CONTRADICTED and r.provider is not None
    }
    return sorted(clauses.items())


class AlertBook:
    """Open episodes of one region, and how many were ever opened. Closed ones are forgotten.

    An identity is made of region, kind, subject and the number of the episode here, so it is never used again. The
    number and not the offset in the log: whoever hashes through all offsets learns how much everybody published.
    """

    def __init__(self, region: RegionCode) -> None:
        self.region = region
        self._rows: Shards[Episode] = Shards("alerts", Episode, count=4, size_max=EPISODES_MAX)
        self._opened: Shards[int] = Shards("alerts-opened", int, count=1, size_max=1)

    def observe(
        self, conditions: Iterable[Condition], kinds: Iterable[AlertKind], on: date, rules: AlertRules
    ) -> tuple[AlertChange, ...]:
        """What the conditions that hold now change. `kinds`: those of which all conditions are given."""
        changes = []
        holding: dict[str, None] = {}
        for condition in conditions:
            key = _key(condition.kind, condition.subject)
            holding[key] = None
            change = self._hold(key, condition, on, rules)
            if change is not None:
                changes.append(change)
        asked = tuple(kinds)
        for key, episode in self._rows.items():
            if episode.kind in asked and key not in holding:
                change = self._rest(key, episode, on, rules)
                if change is not None:
                    changes.append(change)
        return tuple(changes)

    def start_day(self, on: date, rules: AlertRules) -> tuple[AlertChange, ...]:
        """What a new day brings: closings after the quiet days, and escalations of what nobody took up."""
        changes = []
        for key, episode in self._rows.items():
            if episode.quiet_since is not None:
                change = self._rest(key, episode, on, rules)
            else:
                change = self._escalate(key, episode, on, rules)
            if change is not None:
                changes.append(change)
        return tuple(changes)

    def acknowledge(self, alert_id: str, by: TenantId, on: date, rules: AlertRules) -> AlertChange | None:
        """Somebody has seen an alert and acts; a repeat, or an alert that is not open, changes nothing."""
        for key, episode in self._rows.items():
            if episode.alert_id == alert_id and episode.state is not AlertState.ACKNOWLEDGED:
                return self._tell(
                    key,
                    replace(episode, state=AlertState.ACKNOWLEDGED, acknowledged_by=by, acknowledged_on=on, told_on=on),
                    rules,
                )
        return None

    def open_episodes(self) -> tuple[Episode, ...]:
        """All open episodes, by kind and subject."""
        return tuple(self._rows.values())

    def find(self, alert_id: str) -> Episode | None:
        """An open episode by its identity."""
        return next((episode for episode in self._rows.values() if episode.alert_id == alert_id), None)

    @property
    def changed(self) -> bool:
        """Whether a part waits to be written."""
        return self._rows.changed or self._opened.changed

    def changed_parts(self) -> dict[str, bytes | None]:
        """See `Shards.changed_parts`."""
        return {**self._rows.changed_parts(), **self._opened.changed_parts()}

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """See `Shards.restore`."""
        self._rows.restore(parts)
        self._opened.restore(parts)

    def _hold(self, key: str, condition: Condition, on: date, rules: AlertRules) -> AlertChange | None:
        episode = self._rows.get(key)
        if episode is None:
            if condition.only_keeps or self._rows.full:
                return None
            number = (self._opened.get("") or 0) + 1
            self._opened.put("", number)
            opened = Episode(
                alert_id=_identity(self.region, condition, number),
                kind=condition.kind,
                subject=condition.subject,
                clause=condition.clause,
                since=on,
                state=AlertState.OPENED,
                severity=SEVERITY[condition.kind],
                told_on=on,
                detail=condition.detail,
                figures=condition.figures,
            )
            return self._tell(key, opened, rules)
        held = replace(episode, quiet_since=None, figures=condition.figures or episode.figures)
        rested = (on - episode.told_on).days >= rules.revise_after_days
        grew = ALL_FULL == condition.clause != episode.clause
        other_months = condition.detail != episode.detail
        if condition.only_keeps or not (grew or (rested and other_months)):
            # Figures of other months wait with their months: an escalation in between tells both as they were.
            waits = other_months and not condition.only_keeps
            self._keep(key, episode, replace(held, figures=episode.figures) if waits else held)
            return None
        state = episode.state if episode.state is AlertState.ACKNOWLEDGED else AlertState.REVISED
        revised = replace(held, detail=condition.detail, clause=condition.clause, state=state, told_on=on)
        return self._tell(key, revised, rules, AlertState.REVISED)

    def _rest(self, key: str, episode: Episode, on: date, rules: AlertRules) -> AlertChange | None:
        """The cause is away: close after the quiet days, and note since when until then."""
        since = episode.quiet_since or on
        wait_days = 0 if episode.kind in LEFT_SLOWLY else rules.quiet_days
        if (on - since).days < wait_days:
            self._keep(key, episode, replace(episode, quiet_since=since))
            return None
        self._rows.remove(key)
        closed = replace(episode, state=AlertState.CLOSED, quiet_since=since, told_on=on)
        return AlertChange(closed, what(closed), affected(closed), CLOSED)

    def _escalate(self, key: str, episode: Episode, on: date, rules: AlertRules) -> AlertChange | None:
        steps = _steps(episode.severity, rules)
        if episode.level >= len(steps):
            return None
        due = episode.since.toordinal() + steps[episode.level].after_days
        if episode.acknowledged_on is not None:
            due = max(due, episode.acknowledged_on.toordinal() + rules.acknowledged_rests_days)
        if on.toordinal() < due:
            return None
        escalated = replace(episode, state=AlertState.ESCALATED, level=episode.level + 1, told_on=on)
        return self._tell(key, escalated, rules)

    def _keep(self, key: str, before: Episode, after: Episode) -> None:
        if after != before:
            self._rows.put(key, after)

    def _tell(self, key: str, episode: Episode, rules: AlertRules, told: AlertState | None = None) -> AlertChange:
        self._rows.put(key, episode)
        shown = episode if told is None else replace(episode, state=told)
        return AlertChange(shown, what(episode), affected(episode), next_step(episode, rules))


def what(episode: Episode) -> Sentence:
    """What is the matter: the sentence of the kind, who or which months, and the figures it was last told with."""
    base, about, figures = WHAT[episode.kind], _about(episode), episode.figures
    told = Sentence(f"{about.nl}: {base.nl}", f"{about.en}: {base.en}")
    if figures is None or episode.kind not in _LADDER:
        return told
    load, capacity = _hours(figures.load_minutes), _hours(figures.capacity_minutes)
    percent = figures.permille // 10
    return Sentence(
        f"{told.nl} In {_month_nl(figures.month)} is {load[0]} uur zorg nodig en {capacity[0]} uur inzetbaar; "
        f"de kans op een tekort is {percent} %.",
        f"{told.en} In {_month_en(figures.month)} {load[1]} hours of care are needed and {capacity[1]} are deployable; "
        f"the chance of a shortfall is {percent} %.",
    )


def affected(episode: Episode) -> Sentence:
    """Whom it affects: a group of people or organisations, never one client."""
    if episode.kind in AFFECTED:
        return AFFECTED[episode.kind]
    if not episode.detail:
        return Sentence("Cliënten en aanbieders van deze regio.", "Clients and providers of this region.")
    months_nl = _listed([_month_nl(month) for month in episode.detail], "en")
    months_en = _listed([_month_en(month) for month in episode.detail], "and")
    clients = 0 if episode.figures is None else episode.figures.clients
    count_nl = f", nu {clients} ingeschreven" if clients else ""
    count_en = f", {clients} registered so far" if clients else ""
    return Sentence(
        f"Cliënten die in {months_nl} bevallen{count_nl}, en hun aanbieders.",
        f"Clients who give birth in {months_en}{count_en}, and their providers.",
    )


def _about(episode: Episode) -> Sentence:
    """Of whom it is told: a region by its code, a provider as such, a tenant by its name."""
    if episode.kind is AlertKind.FALSE_FULL_CLAIM:
        return Sentence(f"Aanbieder {episode.subject}", f"Provider {episode.subject}")
    return Sentence(episode.subject, episode.subject)


_MONTHS_NL = (
    *("januari", "februari", "maart", "april", "mei", "juni", "juli"),
    *("augustus", "september", "oktober", "november", "december"),
)
_MONTHS_EN = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


def _month_nl(month: str) -> str:
    return f"{_MONTHS_NL[int(month[5:]) - 1]} {month[:4]}"


def _month_en(month: str) -> str:
    return f"{_MONTHS_EN[int(month[5:]) - 1]} {month[:4]}"


def _hours(minutes: int) -> tuple[str, str]:
    """Whole hours as each language groups them."""
    text = f"{minutes // 60:,}"
    return text.replace(",", "."), text


def _listed(words: list[str], last: str) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def next_step(episode: Episode, rules: AlertRules) -> Sentence:
    """What to do now, and by whom: the first step of the kind, or who is addressed after an escalation."""
    if episode.state is AlertState.ACKNOWLEDGED:
        return ACKNOWLEDGED
    first = FIRST_STEP[episode.kind]
    if episode.kind is AlertKind.CODE_RED and episode.clause == ALL_FULL:
        first = Sentence(f"{first.nl} {ALL_FULL_STEP.nl}", f"{first.en} {ALL_FULL_STEP.en}")
    steps = _steps(episode.severity, rules)[: episode.level]  # a plan that came since may have fewer
    if not steps:
        return first
    addressee = ADDRESSEES[steps[-1].addressee]
    return Sentence(
        f"Nog niet opgepakt; nu aan {addressee.nl}. {first.nl}", f"Not taken up yet; now for {addressee.en}. {first.en}"
    )


def _steps(severity: AlertSeverity, rules: AlertRules) -> tuple[EscalationStep, ...]:
    if severity is AlertSeverity.CRITICAL:
        return rules.critical
    return rules.warning if severity is AlertSeverity.WARNING else ()


def _key(kind: AlertKind, subject: str) -> str:
    return f"{kind.value}|{subject}"


def _identity(region: RegionCode, condition: Condition, number: int) -> str:
    return sha256(f"{region}|{condition.kind.value}|{condition.subject}|{number}".encode()).hexdigest()[:32]


ADDRESSEES: dict[Addressee, Sentence] = {
    Addressee.KSV: Sentence("het KSV", "the KSV"),
    Addressee.BO: Sentence("Bo Geboortezorg", "Bo Geboortezorg"),
    Addressee.INSURER: Sentence("de preferente zorgverzekeraars", "the lead insurers"),
}

ACKNOWLEDGED = Sentence("Iemand is ermee bezig.", "Somebody is on it.")
CLOSED = Sentence("Afgesloten; er is niets meer te doen.", "Closed; nothing is left to do.")

WHAT: dict[AlertKind, Sentence] = {
    AlertKind.CODE_ORANGE_THREAT: Sentence(
        "Code oranje dreigt: de gemiddelde zorgduur komt in gevaar.",
        "Code orange threatens: the region's mean care duration is at risk.",
    ),
    AlertKind.CODE_ORANGE: Sentence(
        "Code oranje: niet iedere cliënt kan de gemiddelde zorgduur krijgen.",
        "Code orange: not every client can get the region's mean care duration.",
    ),
    AlertKind.CODE_RED_THREAT: Sentence(
        "Code rood dreigt: minimale zorg komt in gevaar.", "Code red threatens: minimal care is at risk."
    ),
    AlertKind.CODE_RED: Sentence(
        "Code rood: een of meer aanbieders kunnen zelf geen minimale zorg leveren.",
        "Code red: one or more providers cannot deliver minimal care on their own.",
    ),
    AlertKind.CAPACITY_UNKNOWN: Sentence(
        "De capaciteit is niet bekend genoeg om een kleur te geven.",
        "Too little is known of the capacity to give a colour.",
    ),
    AlertKind.FALSE_FULL_CLAIM: Sentence(
        "Een aanbieder meldt zich vol, maar de cijfers spreken dat tegen.",
        "A provider says that it is full, but the figures contradict that.",
    ),
    AlertKind.NO_MEDIATOR_NAMED: Sentence("Geen afspraak wijst aan wie bemiddelt.", "No agreement names who mediates."),
    AlertKind.MINIMAL_CARE_MISSED: Sentence(
        "Een cliënt heeft geen minimale zorg gekregen.", "A client did not get minimal care."
    ),
    AlertKind.TENANT_HELD: Sentence(
        "Een deelnemer geeft meer dubbelmeldingen dan zijn ruimte toelaat.",
        "A tenant causes more duplicate signals than its budget allows.",
    ),
    AlertKind.UNPLACED_URGENT: Sentence(
        "Voor een cliënt die binnenkort bevalt is geen plaats gevonden.",
        "No place was found for a client who is due soon.",
    ),
}

AFFECTED: dict[AlertKind, Sentence] = {
    AlertKind.CAPACITY_UNKNOWN: Sentence(
        "Alle cliënten en aanbieders van de regio: niemand weet of er zorg genoeg is.",
        "All clients and providers of the region: nobody knows whether there is care enough.",
    ),
    AlertKind.FALSE_FULL_CLAIM: Sentence(
        "De andere aanbieders in de regio, die haar cliënten zouden opvangen.",
        "The other providers of the region, who would take its clients.",
    ),
    AlertKind.NO_MEDIATOR_NAMED: Sentence(
        "Cliënten voor wie geen plaats gevonden wordt: niemand bemiddelt voor hen.",
        "Clients for whom no place is found: nobody mediates for them.",
    ),
    AlertKind.MINIMAL_CARE_MISSED: Sentence(
        "Een of meer cliënten die al bevallen zijn.", "One or more clients who have given birth already."
    ),
    AlertKind.TENANT_HELD: Sentence(
        "De aanbieders voor wie deze deelnemer meldt: hun signalen wachten.",
        "The providers for whom this tenant publishes: their signals wait.",
    ),
    AlertKind.UNPLACED_URGENT: Sentence(
        "Een of meer wachtende cliënten die binnenkort bevallen.", "One or more waiting clients who are due soon."
    ),
}
"""Of kinds that are not about months."""

ALL_FULL_STEP = Sentence(
    "KSV: bespreek met de preferente zorgverzekeraars welke extra interventies nodig zijn.",
    "KSV: discuss with the lead insurers which extra interventions are needed.",
)
"""Beside the first step of red, where all are full (S0, rule 15)."""

FIRST_STEP: dict[AlertKind, Sentence] = {
    AlertKind.CODE_ORANGE_THREAT: Sentence(
        "KSV: bespreek een inschrijfrichtlijn voor de genoemde maanden.",
        "KSV: discuss an intake guideline for the months named.",
    ),
    AlertKind.CODE_ORANGE: Sentence(
        "KSV: roep het overleg bijeen en inventariseer de maatregelen; aanbieders delen hun capaciteit.",
        "KSV: call the meeting and take stock of measures; providers share their capacity.",
    ),
    AlertKind.CODE_RED_THREAT: Sentence(
        "KSV en aanbieders: ga in gesprek en bereid een regioplan voor.",
        "KSV and providers: meet and prepare a region plan.",
    ),
    AlertKind.CODE_RED: Sentence(
        "Coördinator: verdeel cliënten via de regionale wachtlijst volgens het regioplan.",
        "Coordinator: distribute clients by the regional waiting list, following the region plan.",
    ),
    AlertKind.CAPACITY_UNKNOWN: Sentence(
        "KSV: vraag aanbieders om hun capaciteit opnieuw op te geven.",
        "KSV: ask providers to declare their capacity again.",
    ),
    AlertKind.FALSE_FULL_CLAIM: Sentence(
        "Coördinator: vraag de aanbieder om uitleg, en bevestig of verwerp de melding.",
        "Coordinator: ask the provider to explain, then confirm or reject the claim.",
    ),
    AlertKind.NO_MEDIATOR_NAMED: Sentence(
        "KSV en preferente verzekeraars: wijs een bemiddelaar aan in een (beknopt) regioplan.",
        "KSV and lead insurers: name a mediator in a (short) region plan.",
    ),
    AlertKind.MINIMAL_CARE_MISSED: Sentence(
        "KSV: stel vast wat er gebeurde en bespreek het met de verzekeraar.",
        "KSV: establish what happened and discuss it with the insurer.",
    ),
    AlertKind.TENANT_HELD: Sentence(
        "Vertrouwensbureau: kijk mee en geef de meldingen vrij of houd ze vast.",
        "Trust office: look into it, then release the signals or keep them held.",
    ),
    AlertKind.UNPLACED_URGENT: Sentence(
        "Coördinator: bel aanbieders met ruimte, of bied een plaats in een kraamcentrum aan.",
        "Coordinator: call providers with room, or offer a place in a kraamcentrum.",
    ),
}
