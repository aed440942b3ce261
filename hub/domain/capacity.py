"""What each provider says it can deliver in a region, per month, and how much of that the colours count on.

All providers make their capacity visible, always (S3), demand beside contracted and deployable hours (S4), employed
and self-employed apart, by the KSV's method (S0, S1; rules 16 and 17). The latest declaration for a day holds; a day
without one carries the last one forward and the month is marked assumed; a declaration more than
`CapacityRules.stale_after_days` old is nothing to count on (DOMAIN "Colour predicates").

A declaration is also a claim: whoever declares less has less to share. A drop beyond `drop_max_permille` against the
highest figure of the past weeks therefore counts only as far as that bound until something bears it out: the
coordinator's word, an insurer's figure, or a fortnight in which the provider took nobody new for that month
(PROPOSAL). What was declared is shown as declared throughout.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

from hub.domain.events import CapacityDeclared
from hub.domain.identifiers import Agb, Month, RecordId, first_day, month_of
from hub.domain.region_plan import CapacityRules
from hub.domain.shards import Shards
from hub.domain.words import CapacityMethod, ClaimJudgement

DECLARATIONS_MAX = 120
"""Declarations kept per provider and region: weekly ones for the whole horizon, four methods deep. The oldest go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One declaration, as far as it counts: subcontracted hours are the other provider's and are taken off here."""

    record_id: RecordId
    declared_on: date
    period_from: date
    period_until: date
    method: CapacityMethod
    contracted_employed_minutes: int
    contracted_self_employed_minutes: int
    deployable_employed_minutes: int
    deployable_self_employed_minutes: int
    carer_pool: str | None = None

    @property
    def days(self) -> int:
        """Days of the period, both ends included."""
        return (self.period_until - self.period_from).days + 1


def declaration(event: CapacityDeclared) -> Declaration:
    """What a provider declared, subcontracted hours taken off once: of the self-employed first, then of employees."""
    of_others = min(event.subcontracted_minutes, event.deployable_self_employed_minutes)
    of_employed = min(event.subcontracted_minutes - of_others, event.deployable_employed_minutes)
    return Declaration(
        record_id=event.record_id,
        declared_on=event.declared_on,
        period_from=event.period_from,
        period_until=event.period_until,
        method=event.method,
        contracted_employed_minutes=event.contracted_employed_minutes,
        contracted_self_employed_minutes=event.contracted_self_employed_minutes,
        deployable_employed_minutes=event.deployable_employed_minutes - of_employed,
        deployable_self_employed_minutes=event.deployable_self_employed_minutes - of_others,
        carer_pool=event.carer_pool,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredMonth:
    """A provider's month by its declarations, in whole minutes. `assumed`: some day was carried forward."""

    contracted_employed_minutes: int = 0
    contracted_self_employed_minutes: int = 0
    deployable_employed_minutes: int = 0
    deployable_self_employed_minutes: int = 0
    assumed: bool = True

    @property
    def deployable_minutes(self) -> int:
        """Employed and self-employed together."""
        return self.deployable_employed_minutes + self.deployable_self_employed_minutes

    @property
    def contracted_minutes(self) -> int:
        """Employed and self-employed together."""
        return self.contracted_employed_minutes + self.contracted_self_employed_minutes


def declared_month(declarations: Iterable[Declaration], month: Month, method: CapacityMethod) -> DeclaredMonth | None:
    """A month by the KSV's method, or by any other where the provider never used that one; None: nothing to go by.

    A declaration counts by its days in the month; on one day the latest declared holds, at equal days the longer id.
    Days after the last period carry the last declaration forward, days before the first have none.
    """
    return _declared_month(tuple(declarations), month, method)


@lru_cache(maxsize=8192)
def _declared_month(known: tuple[Declaration, ...], month: Month, method: CapacityMethod) -> DeclaredMonth | None:
    by_method = tuple(d for d in known if d.method is method) or known
    latest_first = sorted(by_method, key=lambda d: (d.declared_on, d.record_id), reverse=True)
    start, end = first_day(month), first_day(Month(month + 1))
    days: dict[RecordId, int] = {}
    assumed = False
    for n in range((end - start).days):
        day = start + timedelta(days=n)
        holder = next((d for d in latest_first if d.period_from <= day <= d.period_until), None)
        if holder is None:
            assumed = True
            past = [d for d in latest_first if d.period_until < day]
            if not past:
                continue
            holder = max(past, key=lambda d: (d.period_until, d.declared_on, d.record_id))
        days[holder.record_id] = days.get(holder.record_id, 0) + 1
    if not days:
        return None
    held = [(d, Fraction(days[d.record_id], d.days)) for d in latest_first if d.record_id in days]
    return DeclaredMonth(
        contracted_employed_minutes=int(sum(d.contracted_employed_minutes * part for d, part in held)),
        contracted_self_employed_minutes=int(sum(d.contracted_self_employed_minutes * part for d, part in held)),
        deployable_employed_minutes=int(sum(d.deployable_employed_minutes * part for d, part in held)),
        deployable_self_employed_minutes=int(sum(d.deployable_self_employed_minutes * part for d, part in held)),
        assumed=assumed,
    )


class DropVerdict(StrEnum):
    """What became of a drop in declared capacity."""

    NONE = "none"
    BORNE_OUT_BY_INSURER = "borne_out_by_insurer"
    REJECTED = "rejected"
    SETTLED = "settled"
    UNVERIFIED = "unverified"


NOT_COUNTED = (DropVerdict.UNVERIFIED, DropVerdict.REJECTED)
"""Drops that the colours do not count on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastFigure:
    """From this day the month's declared deployable minutes were so many."""

    since: date
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthTrail:
    """How the declared figure of one month came about: the steps of the past weeks, the latest last.

    `registered` counts registrations accepted for the month since the latest step. `rejected`: the coordinator does
    not believe the latest step.
    """

    month: Month
    steps: tuple[PastFigure, ...]
    registered: int = 0
    rejected: bool = False

    def moved(self, minutes: int, today: date, rules: CapacityRules) -> "MonthTrail":
        """With today's figure; steps that no day of the reference window saw fall away."""
        steps = self.steps
        if not steps or steps[-1].minutes != minutes:
            kept = tuple(step for step in steps if step.since < today) if steps else ()
            # Several figures on one day: only the last one stood when the day ended.
            steps = (*kept, PastFigure(since=today, minutes=minutes))
        window = today - timedelta(days=rules.reference_days)
        first_kept = max((n for n, step in enumerate(steps) if step.since <= window), default=0)
        if steps[-1:] != self.steps[-1:]:
            return MonthTrail(month=self.month, steps=steps[first_kept:])
        # A drop that was rejected stays one for as long as it is declared: its yardstick does not fade.
        return replace(self, steps=steps if self.rejected else steps[first_kept:])

    def counted(self, today: date, rules: CapacityRules, insurer_minutes: int | None) -> tuple[int, DropVerdict]:
        """Minutes that the colours count on, and why. `insurer_minutes`: the insurers' highest figure, if any.

        The yardstick is the highest figure of the window, or the insurer's where that is lower; a first declaration
        has only the insurer's. A drop that the coordinator rejected neither settles nor takes the insurer's figure.
        """
        latest = self.steps[-1]
        past = max((step.minutes for step in self.steps[:-1]), default=None)
        if self.rejected:
            insurer_minutes = None
        yardsticks = [minutes for minutes in (past, insurer_minutes) if minutes is not None]
        bound = min(yardsticks, default=0) * (1000 - rules.drop_max_permille) // 1000
        if latest.minutes >= bound:
            dropped = past is not None and latest.minutes * 1000 < past * (1000 - rules.drop_max_permille)
            return latest.minutes, DropVerdict.BORNE_OUT_BY_INSURER if dropped else DropVerdict.NONE
        if self.rejected:
            return bound, DropVerdict.REJECTED
        if self.registered == 0 and (today - latest.since).days >= rules.drop_settles_after_days:
            return latest.minutes, DropVerdict.SETTLED
        return bound, DropVerdict.UNVERIFIED


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCapacity:
    """All that a region remembers of one provider's capacity."""

    declarations: tuple[Declaration, ...] = ()
    trails: tuple[MonthTrail, ...] = ()

    @property
    def last_declared_on(self) -> date | None:
        """Day of the latest declaration by any method."""
        return max((d.declared_on for d in self.declarations), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthCapacity:
    """A provider's month: as declared, and as counted. `stale`: the last declaration is too old to count on."""

    declared: DeclaredMonth
    counted_minutes: int
    verdict: DropVerdict
    stale: bool
    declared_on: date


class CapacityBook:
    """Capacity of one region, provider by provider. Months are those of the forecast."""

    def __init__(self, rules: CapacityRules, method: CapacityMethod, months: tuple[Month, ...], today: date) -> None:
        self.rules, self.method, self.months, self.today = rules, method, months, today
        self._rows: Shards[ProviderCapacity] = Shards("capacity", ProviderCapacity, count=16, size_max=20_000)
        self._declared: dict[Agb, dict[Month, DeclaredMonth | None]] = {}

    @property
    def providers(self) -> tuple[Agb, ...]:
        """Providers that ever declared, in the order of their codes."""
        return tuple(Agb(key) for key, _ in self._rows.items())

    def declare(self, event: CapacityDeclared) -> None:
        """Takes a declaration; a later version of the same record takes its place."""
        row = self._rows.get(event.provider) or ProviderCapacity()
        others = [d for d in row.declarations if d.record_id != event.record_id]
        kept = sorted((*others, declaration(event)), key=lambda d: (d.period_until, d.declared_on, d.record_id))
        self._write(event.provider, replace(row, declarations=tuple(kept[-DECLARATIONS_MAX:])))

    def registered(self, provider: Agb, month: Month) -> None:
        """A provider accepted one more registration for a month: no sign of a shortage there."""
        row = self._rows.get(provider)
        if row is not None and any(trail.month == month for trail in row.trails):
            trails = tuple(replace(t, registered=t.registered + 1) if t.month == month else t for t in row.trails)
            self._rows.put(provider, replace(row, trails=trails))

    def judge(self, provider: Agb, record_id: RecordId, judgement: ClaimJudgement) -> bool:
        """The coordinator judges one declaration, for the months that it touches; False where it does not stand.

        Confirmed: the provider's earlier figures are no yardstick any more. Rejected: the drop never bears itself out.
        """
        row = self._rows.get(provider)
        judged = None if row is None else next((d for d in row.declarations if d.record_id == record_id), None)
        if row is None or judged is None:
            return False
        first, last = month_of(judged.period_from), month_of(judged.period_until)
        trails = tuple(
            trail
            if not first <= trail.month <= last
            else MonthTrail(month=trail.month, steps=trail.steps[-1:])
            if judgement is ClaimJudgement.CONFIRMED
            else replace(trail, rejected=True)
            for trail in row.trails
        )
        self._rows.put(provider, replace(row, trails=trails))
        return True

    def start_day(self, today: date, months: tuple[Month, ...], rules: CapacityRules, method: CapacityMethod) -> None:
        """A day begins, perhaps under another plan: windows move, months come and go."""
        self.rules, self.method, self.months, self.today = rules, method, months, today
        for provider, row in self._rows.items():
            self._write(Agb(provider), row)

    def month(self, provider: Agb, month: Month, insurer_minutes: int | None = None) -> MonthCapacity | None:
        """A provider's capacity in a month of the forecast; None where it never declared anything to go by."""
        row = self._rows.get(provider)
        trail = next((t for t in row.trails if t.month == month), None) if row is not None else None
        declared_on = row.last_declared_on if row is not None else None
        if row is None or trail is None or declared_on is None:
            return None
        declared = self._declared_month(provider, row, month)
        if declared is None:
            return None
        counted, verdict = trail.counted(self.today, self.rules, insurer_minutes)
        stale = (self.today - declared_on).days > self.rules.stale_after_days
        return MonthCapacity(
            declared=declared, counted_minutes=counted, verdict=verdict, stale=stale, declared_on=declared_on
        )

    def declarations(self, provider: Agb) -> tuple[Declaration, ...]:
        """What stands of a provider, in the order of periods."""
        row = self._rows.get(provider)
        return () if row is None else row.declarations

    @property
    def changed(self) -> bool:
        """Whether a part waits to be written."""
        return self._rows.changed

    def changed_parts(self) -> dict[str, bytes | None]:
        """See `Shards.changed_parts`."""
        return self._rows.changed_parts()

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """See `Shards.restore`."""
        self._rows.restore(parts)
        self._declared = {}

    def _declared_month(self, provider: Agb, row: ProviderCapacity, month: Month) -> DeclaredMonth | None:
        """`declared_month`, kept until the declarations or the method change."""
        months = self._declared.setdefault(provider, {})
        if month not in months:
            months[month] = declared_month(row.declarations, month, self.method)
        return months[month]

    def _write(self, provider: Agb, row: ProviderCapacity) -> None:
        trails = []
        self._declared.pop(provider, None)
        old = {trail.month: trail for trail in row.trails}
        for month in self.months:
            declared = self._declared_month(provider, row, month)
            if declared is not None:
                trail = old.get(month) or MonthTrail(month=month, steps=())
                trails.append(trail.moved(declared.deployable_minutes, self.today, self.rules))
        after = replace(row, trails=tuple(trails))
        if after != self._rows.get(provider):
            self._rows.put(provider, after)
