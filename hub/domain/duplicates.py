"""Duplicates: which records belong to one client, found without knowing who she is.

A pure fold over identity-log. A record is *submitted* (its encoding arrives), then *settled* by its region; only a
version settled active is paired (one judge). Pairs are sought per block, scored by the adopted model, and become links:
`registered_twice` (signalled by the regions) or `waiting_and_registered` (not signalled; rule 26).

No duplicates: two records of one provider (they teach the model instead), due dates over 20 weeks apart (a later
pregnancy), a record withdrawn or transferred before the other came. A person has at most one registration per
provider, so a record is linked to the best of another provider's candidates only. State ends 42 days after the due
date. All figures are a PROPOSAL.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Final, NamedTuple

from hub.domain.events import LinkEnded, LinkFound, MatchReason, RecordMoved, RecordRef, TenantHeld
from hub.domain.identifiers import Agb, RecordId, RegionCode, TenantId
from hub.domain.identity import FILTER_BYTES, Identity, check_identity
from hub.domain.match_model import (
    MatchModel,
    Scorer,
    check_model,
    compare,
    explain,
    lower_of,
    pack,
    packed_bytes,
    presence,
    swap_once,
)
from hub.domain.match_state import (
    STORED_TOKEN_BYTES,
    Encoding,
    Linked,
    MatchState,
    Row,
    Submitted,
    Tenant,
    key_of,
    key_of_row,
)
from hub.domain.words import DuplicateVerdict, LinkEndReason, LinkKind, RecordKind, SettledOutcome

__all__ = ["MatchLimits", "Matcher", "Outcome", "check_identity"]

Outcome = LinkFound | LinkEnded | RecordMoved | TenantHeld

LATER_PREGNANCY_DAYS: Final = 140
"""Due dates further apart than 20 weeks are two pregnancies."""
EXPIRY_DAYS: Final = 42
"""State ends six weeks after the due date."""
LOOKS_MAX: Final = 2
"""Of the blocks that a pair shares, as many are compared, strongest first."""
PENDING_MAX: Final = 4
"""Submissions of one record that wait for their region's judgement."""
ALERT_MILLIBITS: Final = 2000
"""One person must be four times as likely as two, before anyone is told: a false alarm costs more trust than a
missed duplicate, and the score takes no sum over the stories that fit less well."""
THIRD_PARTY_MILLIBITS: Final = 3000
"""Two links of one record link their other ends as well, when the weaker one and what these ends say themselves come to
this much. A single false link would else spread to whatever is linked to either end."""
NEVER_MET_MILLIBITS: Final = -3000
"""What two ends say that share no block: of the pairs of one client at most one in eight shares none."""
DOUBT_MILLIBITS: Final = -4000
"""Ends that score below this were compared and are two people, whatever a third record says."""
LINKS_MAX: Final = 32
"""Of one record: beyond so many a third party adds none, which bounds the work that one more record can cause."""
ENCODINGS_MAX: Final = 2
"""Of one record: two epochs while they overlap."""
MODELS_MAX: Final = 1_000
"""Records of models whose versions are remembered: one a day for the life of a log."""
_SUBMITTED, _ACTIVE, _CLOSED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class MatchLimits:
    """Bounds that a table of the hub may set. PROPOSAL.

    A tenant whose newer records found more than `links_max` links in `window_days` is held: its further links are
    `held` until a person releases it. That bounds what guessing can teach anyone.
    """

    alert_millibits: int = ALERT_MILLIBITS
    block_max: int = 50
    candidates_max: int = 200
    links_max: int = 40
    window_days: int = 7
    links_max_by_tenant: Mapping[str, int] = field(default_factory=dict)

    def budget(self, tenant: str) -> int:
        """Links per window of one tenant."""
        return self.links_max_by_tenant.get(tenant, self.links_max)


class _Match(NamedTuple):
    """A record found to be the same client's: by which pass they met first (0: by none), and how alike they are."""

    other: int
    score_millibits: int
    pass_number: int
    pattern: int


class Matcher:
    """The rules of the fold. It holds no state of a record: only limits, and a cache of scores under one model."""

    def __init__(self, limits: MatchLimits | None = None) -> None:
        self.limits = limits or MatchLimits()
        self._scorer: Scorer | None = None

    def scorer(self, state: MatchState) -> Scorer:
        """Scores under the state's model."""
        if self._scorer is None or self._scorer.model is not state.model:
            self._scorer = Scorer(state.model)
        return self._scorer

    # what happens to a record

    def submit(self, state: MatchState, ref: RecordRef, identity: Identity | None, due_date: date) -> list[Outcome]:
        """A version's encoding arrives. Nothing is paired before its region settles it, in whatever order both come."""
        state.rest()
        due = due_date.toordinal()
        if state.day and due + EXPIRY_DAYS <= state.day:
            state.count("submitted_after_expiry")
            return []
        number, row = self._row(state, ref, due)
        encoding = stored(identity)
        if not encoding.passes:
            state.count("not_comparable")
        if ref.version < row.version or ref.version <= row.encoded_version:
            return []
        if row.pending and (refused := Submitted(ref.version, ref.region, None)) in row.pending:
            row.pending = _without_first(row.pending, refused)
            return self._rest_of(state, number, row)
        if ref.version == row.version and row.status == _ACTIVE:
            return self._encode(state, number, row, encoding)
        if row.status == _CLOSED and ref.version <= row.version:
            return []
        row.pending = _queued(row.pending, Submitted(ref.version, ref.region, encoding))
        state.put_row(number, row)
        return []

    def settle(
        self,
        state: MatchState,
        ref: RecordRef,
        outcome: SettledOutcome,
        due_date: date,
        closed_by_transfer: bool = False,
    ) -> list[Outcome]:
        """A region's judgement of a version. Where two regions hold one record, DESIGN spine 4 decides."""
        state.rest()
        due = due_date.toordinal()
        if state.day and due + EXPIRY_DAYS <= state.day and self._number(state, ref) is None:
            return []
        number, row = self._row(state, ref, due)
        match outcome:
            case SettledOutcome.REFUSED:
                judged = _first_of(row.pending, ref)
                if judged is None:
                    row.pending = _queued(row.pending, Submitted(ref.version, ref.region, None))
                else:
                    row.pending = _without_first(row.pending, judged)
                return self._rest_of(state, number, row)
            case SettledOutcome.CLOSED:
                return self._close(state, number, row, ref, closed_by_transfer)
            case SettledOutcome.ACTIVE:
                return self._activate(state, number, row, ref, due)

    def take_over(
        self,
        state: MatchState,
        region: RegionCode,
        provider: Agb,
        old: TenantId,
        new: TenantId,
        ids: Mapping[RecordId, RecordId] | None = None,
    ) -> list[Outcome]:
        """A region's records of a provider have gone from one package to another. Links stand.

        Without `ids` all go and keep their ids; with them those go that are named. What waits to be settled stays
        under the old name: its region judges it under that name. Of a record that the new tenant has sent itself the
        higher version stands, as in the region.
        """
        out: list[Outcome] = []
        for number in state.numbers():
            state.rest()
            if not state.holds(number):  # the new tenant's own, which gave way to an older row
                continue
            row = state.row(number)
            if row.tenant != old or row.provider != provider or row.region != region:
                continue
            if ids is not None and RecordId(row.record_id) not in ids:
                continue
            fresh = row.record_id if ids is None else ids[RecordId(row.record_id)]
            heir = state.find(key_of(new, row.provider, row.kind, fresh))
            if heir is not None:
                gone = heir if state.row(heir).version < row.version else number
                state.count("taken_over_twice")
                out += self._drop(state, gone)
                if gone == number:
                    continue
                row = state.row(number)
            waiting, row.pending = row.pending, []
            state.drop_ref(key_of(old, row.provider, row.kind, row.record_id), number)
            if waiting:
                ref = RecordRef(
                    tenant=old, provider=provider, kind=RecordKind(row.kind), record_id=RecordId(row.record_id),
                    version=waiting[0].version, region=region,
                )  # fmt: skip
                late, left = self._row(state, ref, row.due)
                left.pending = waiting
                state.put_row(late, left)
            row.tenant, row.record_id = new, fresh
            state.put_ref(key_of_row(row), number)
            state.put_row(number, row)
        return out

    def _drop(self, state: MatchState, number: int) -> list[Outcome]:
        """Forget a row, and end what links it."""
        row = state.row(number)
        out = self._end_links(state, number, row, LinkEndReason.CORRECTED)
        self._forget(state, number, row)
        return out

    # what happens besides

    def start_day(self, state: MatchState, day: date) -> list[Outcome]:
        """A day begins: what expired is forgotten, links included."""
        today = day.toordinal()
        if today <= state.day:
            return []
        out: list[Outcome] = []
        for number in state.expired_by(today):
            state.rest()
            row = state.row(number)
            out += self._end_links(state, number, row, LinkEndReason.EXPIRED)
            self._forget(state, number, row)
        state.put_day(today)
        for name in sorted(state.tenants):
            tenant = state.tenants[name]
            kept = [(on, links) for on, links in tenant.links_by_day if on > today - self.limits.window_days]
            if kept != tenant.links_by_day:
                tenant.links_by_day = kept
                state.put_tenant(name, tenant)
        return out

    def feedback(self, state: MatchState, link_id: str, verdict: DuplicateVerdict) -> list[Outcome]:
        """What people found out. It is counted; "not a duplicate" also ends the link and keeps the pair apart."""
        pair = state.link(link_id)
        if pair is None:
            state.count("feedback_on_unknown_link")
            return []
        state.count(f"feedback_{verdict.value}")
        if verdict is DuplicateVerdict.CONFIRMED:
            return []
        first, second = pair
        row = state.row(first)
        out = self._end_link(state, first, row, _linked(row, link_id), LinkEndReason.NOT_A_DUPLICATE)
        row.rejected = sorted({*row.rejected, second})
        state.put_row(first, row)
        return out

    def release_hold(self, state: MatchState, name: TenantId) -> list[Outcome]:
        """A person releases a tenant: its window starts anew, and withheld links that still stand are said again."""
        tenant = state.tenants.get(name)
        if tenant is None or not tenant.held:
            return []
        out: list[Outcome] = []
        for link_id in tenant.withheld:
            pair = state.link(link_id)
            if pair is not None:
                newer, older = map(state.row, pair)
                match = _Match(pair[1], _linked(newer, link_id).score_millibits, *self._compared(newer, older))
                out.append(self._found(state, link_id, newer, older, match, held=False))
        state.put_tenant(name, Tenant())
        return out

    def adopt_model(self, state: MatchState, model: MatchModel, record_id: str, version: int) -> list[Outcome]:
        """Use other weights from here on. Links that stand are not judged again; what follows is.

        Ignored and counted: what is unfit, and what NL refuses or calls a repeat, since it is no newer version of its
        record; adopted again, a model would forget what was learned since.
        """
        problem = check_model(model)
        if version <= state.models.get(record_id, 0):
            problem = "not_newer"
        elif record_id not in state.models and len(state.models) >= MODELS_MAX:
            problem = "too_many"
        if problem is None:
            state.adopt(model, record_id, version)
        else:
            state.count(f"model_refused_{problem}")
        return []

    def pattern(self, ours: Encoding, theirs: Encoding, looks: Sequence[int]) -> int:
        """How alike two encodings are in the blocks they share (own block number << 6 | theirs, at least one)."""
        mask_a, mask_b = ours.presence, theirs.presence
        width_a, width_b = packed_bytes(mask_a), packed_bytes(mask_b)
        pattern = -1
        for look in looks:
            at_a, at_b = (look >> 6) * width_a, (look & 63) * width_b
            a = int.from_bytes(ours.filters[at_a : at_a + width_a], "big")
            b = int.from_bytes(theirs.filters[at_b : at_b + width_b], "big")
            seen = compare(mask_a, a, mask_b, b)
            pattern = seen if pattern < 0 else lower_of(pattern, seen)
        return swap_once(pattern)

    # inside

    def _look(self, encoding: Encoding, other: Row, looks: Sequence[int]) -> int | None:
        """The pattern of the blocks shared with a row, or None when it has no encoding of this epoch any more."""
        for theirs in other.encodings:
            if theirs.epoch == encoding.epoch:
                return self.pattern(encoding, theirs, looks)
        return None

    def _number(self, state: MatchState, ref: RecordRef) -> int | None:
        return state.find(key_of(ref.tenant, ref.provider, ref.kind.value, ref.record_id))

    def _row(self, state: MatchState, ref: RecordRef, due: int) -> tuple[int, Row]:
        number, fresh = state.find_or_take(key_of(ref.tenant, ref.provider, ref.kind.value, ref.record_id))
        if not fresh:
            return number, state.row(number)
        row = Row(ref.tenant, ref.provider, ref.kind.value, ref.record_id, due=due)
        state.put_row(number, row)
        state.put_expiry(due + EXPIRY_DAYS, number)
        return number, row

    def _rest_of(self, state: MatchState, number: int, row: Row) -> list[Outcome]:
        """After a refusal: a record of which nothing stands and nothing waits is forgotten."""
        if row.status == _SUBMITTED and not row.pending:
            self._forget(state, number, row)
        else:
            state.put_row(number, row)
        return []

    def _forget(self, state: MatchState, number: int, row: Row) -> None:
        for encoding in row.encodings:
            state.leave_blocks(encoding, number)
        state.drop_ref(key_of_row(row), number)
        state.drop_expiry(row.due + EXPIRY_DAYS, number)
        state.drop_row(number)

    def _activate(self, state: MatchState, number: int, row: Row, ref: RecordRef, due: int) -> list[Outcome]:
        out: list[Outcome] = []
        if row.status == _CLOSED and ref.version <= row.version:
            return []
        if row.status == _ACTIVE:
            if ref.version <= row.version:
                if ref.region != row.region:
                    out.append(
                        RecordMoved(record=_at(ref, ref.region), version=row.version, new_region=RegionCode(row.region))
                    )
                return out
            if ref.region != row.region:
                out.append(
                    RecordMoved(record=_at(ref, RegionCode(row.region)), version=ref.version, new_region=ref.region)
                )
        if due != row.due:
            state.drop_expiry(row.due + EXPIRY_DAYS, number)
            state.put_expiry(due + EXPIRY_DAYS, number)
        row.version, row.region, row.status, row.due = ref.version, ref.region, _ACTIVE, due
        taken = _first_of(row.pending, ref)
        if taken is None or taken.encoding is None:  # its encoding comes later, maybe after one that was refused
            row.pending = [waiting for waiting in row.pending if waiting.version >= ref.version]
            state.put_row(number, row)
            return out
        row.pending = [waiting for waiting in row.pending if waiting.version > ref.version]
        return out + self._encode(state, number, row, taken.encoding)

    def _close(self, state: MatchState, number: int, row: Row, ref: RecordRef, by_transfer: bool) -> list[Outcome]:
        if row.status == _ACTIVE and (
            ref.version < row.version or (ref.region != row.region and ref.version == row.version)
        ):
            return []
        if row.status == _CLOSED and ref.version <= row.version:
            return []
        reason = LinkEndReason.TRANSFERRED if by_transfer else LinkEndReason.WITHDRAWN
        out = self._end_links(state, number, row, reason)
        for encoding in row.encodings:
            state.leave_blocks(encoding, number)
        row.version, row.region, row.status, row.encodings = ref.version, ref.region, _CLOSED, []
        row.pending = [waiting for waiting in row.pending if waiting.version > ref.version]
        state.put_row(number, row)
        return out

    def _encode(self, state: MatchState, number: int, row: Row, encoding: Encoding) -> list[Outcome]:
        """An active record gets its encoding: pair it, and keep of its links those that still hold."""
        row.encoded_version = row.version
        replaced = bool(row.encodings) and self._make_room(state, number, row, encoding)
        if encoding in row.encodings:
            state.put_row(number, row)
            return []
        matches = self._pair(state, number, row, encoding)
        out: list[Outcome] = []
        if replaced:
            still = {match.other for match in matches}
            for linked in list(row.links):
                if linked.other not in still:
                    out += self._end_link(state, number, row, linked, LinkEndReason.CORRECTED)
        for match in matches:
            out += self._link(state, number, row, match)
        state.put_row(number, row)
        if matches:
            out += self._link_through(state, number)
        return out

    def _make_room(self, state: MatchState, number: int, row: Row, encoding: Encoding) -> bool:
        """Drop what an encoding replaces, and the oldest epoch beyond the bound; whether it replaces one."""
        if encoding in row.encodings:
            return False
        gone = [old for old in row.encodings if old.epoch == encoding.epoch]
        kept = [old for old in row.encodings if old.epoch != encoding.epoch]
        dropped = kept[: max(0, len(kept) - (ENCODINGS_MAX - 1))]
        for old in (*gone, *dropped):
            state.leave_blocks(old, number)
        row.encodings = kept[len(dropped) :]
        return bool(gone)

    def _link_through(self, state: MatchState, number: int) -> list[Outcome]:
        """Records that share no block may still be one client's, when a third record links them strongly."""
        out: list[Outcome] = []
        middles = [number, *sorted(linked.other for linked in state.row(number).links)]
        for middle in middles:
            ends = sorted(state.row(middle).links, key=lambda one: one.other)
            strong = [end for end in ends if end.score_millibits >= THIRD_PARTY_MILLIBITS]
            for i, left in enumerate(strong):
                for right in strong[:i]:
                    newer, older = (left, right) if left.other > right.other else (right, left)
                    points = min(left.score_millibits, right.score_millibits)
                    if number in (newer.other, older.other, middle):
                        out += self._infer(state, newer.other, older.other, points)
        return out

    def _infer(self, state: MatchState, newer: int, older: int, points: int) -> list[Outcome]:
        row, other = state.row(newer), state.row(older)
        if len(row.links) >= LINKS_MAX or len(other.links) >= LINKS_MAX or any(one.other == older for one in row.links):
            return []
        if _one_provider(row, other) or older in row.rejected or newer in other.rejected:
            return []
        if abs(row.due - other.due) > LATER_PREGNANCY_DAYS or row.kind == other.kind == RecordKind.WAITING.value:
            return []
        pass_number, pattern = self._compared(row, other)
        against = self.scorer(state).score(pattern) if pass_number else NEVER_MET_MILLIBITS
        if against < DOUBT_MILLIBITS or points + against < THIRD_PARTY_MILLIBITS:
            return []
        return self._link(state, newer, row, _Match(older, points, pass_number, pattern))

    def _pair(self, state: MatchState, number: int, row: Row, encoding: Encoding) -> list[_Match]:
        """Enter the blocks, compare each candidate once; returns those that one person explains best."""
        shared, kept = state.enter_blocks(encoding, number, self.limits.block_max)
        row.encodings = sorted([*row.encodings, kept], key=lambda one: one.epoch)
        if kept is not encoding:
            state.count("blocks_full", len(encoding.passes) - len(kept.passes))
        if not shared:
            return []
        if len(shared) > self.limits.candidates_max:
            state.count("candidates_cut", len(shared) - self.limits.candidates_max)
        score = self.scorer(state).score
        rejected = row.rejected
        best: dict[str, _Match] = {}
        alone: list[_Match] = []
        for other, looks in islice(shared.items(), self.limits.candidates_max):
            theirs_row = state.row(other)
            pattern = self._look(encoding, theirs_row, looks[:LOOKS_MAX])
            if pattern is None:
                continue
            within = _one_provider(row, theirs_row)
            state.learn(within, pattern)
            if within:
                continue
            points = score(pattern)
            if points < self.limits.alert_millibits or other in rejected or number in theirs_row.rejected:
                continue
            if abs(row.due - theirs_row.due) > LATER_PREGNANCY_DAYS:
                state.count("later_pregnancy")
                continue
            if row.kind == theirs_row.kind == RecordKind.WAITING.value:
                continue
            match = _Match(other, points, encoding.passes[looks[0] >> 6], pattern)
            if not (theirs_row.provider and row.provider):
                alone.append(match)
            elif (rival := best.get(theirs_row.provider)) is None or points > rival.score_millibits:
                best[theirs_row.provider] = match
        return sorted([*alone, *best.values()])

    def _link(self, state: MatchState, number: int, row: Row, match: _Match) -> list[Outcome]:
        if any(linked.other == match.other for linked in row.links):
            return []
        other = state.row(match.other)
        out: list[Outcome] = []
        if row.provider and other.provider:
            rivals = [linked for linked in other.links if state.row(linked.other).provider == row.provider]
            rivals = [linked for linked in rivals if linked.other != number]
            if any(linked.score_millibits >= match.score_millibits for linked in rivals):
                state.count("better_match_stands")
                return []
            for rival in rivals:
                out += self._end_link(state, match.other, other, rival, LinkEndReason.CORRECTED)
        link_id = _new_link_id(state)
        row.links = [*row.links, Linked(match.other, link_id, match.score_millibits)]
        other.links = [*other.links, Linked(number, link_id, match.score_millibits)]
        state.put_row(match.other, other)
        state.put_row(number, row)
        state.put_link(link_id, number, match.other)
        held = False
        if row.kind == other.kind == RecordKind.REGISTRATION.value:
            held, notice = self._spend(state, row.tenant, link_id)
            out += notice
        out.append(self._found(state, link_id, row, other, match, held))
        return out

    def _spend(self, state: MatchState, name: str, link_id: str) -> tuple[bool, list[Outcome]]:
        """Count a link against the budget of the tenant whose record is the newer."""
        tenant = state.tenants.get(name) or Tenant()
        by_day = dict(tenant.links_by_day)
        by_day[state.day] = by_day.get(state.day, 0) + 1
        tenant.links_by_day = sorted(by_day.items())
        spent, budget = sum(by_day.values()), self.limits.budget(name)
        notice: list[Outcome] = []
        if spent > budget and not tenant.held:
            tenant.held = True
            notice = [TenantHeld(held_tenant=TenantId(name), links_in_window=spent, budget=budget)]
        if tenant.held:
            tenant.withheld = [*tenant.withheld, link_id][-10_000:]
        state.put_tenant(name, tenant)
        return tenant.held, notice

    def _found(self, state: MatchState, link_id: str, newer: Row, older: Row, match: _Match, held: bool) -> LinkFound:
        reasons = (
            MatchReason(pass_number=match.pass_number, field=field, weight_millibits=weight)
            for field, weight in (explain(self.scorer(state), match.pattern) if match.pass_number else ())
        )
        return LinkFound(
            link_id=link_id,
            kind=_kind_of(newer, older),
            first=_ref(older),
            second=_ref(newer),
            score_millibits=match.score_millibits,
            reasons=tuple(reasons),
            held=held,
        )

    def _compared(self, row: Row, other: Row) -> tuple[int, int]:
        """(the strongest pass that two records share, how alike they are there); (0, 0) where they share none."""
        seen = _shared_looks(row, other)
        return (0, 0) if seen is None else (seen[0].passes[seen[2][0] >> 6], self.pattern(*seen))

    def _end_links(self, state: MatchState, number: int, row: Row, reason: LinkEndReason) -> list[Outcome]:
        out: list[Outcome] = []
        for linked in list(row.links):
            out += self._end_link(state, number, row, linked, reason)
        return out

    def _end_link(
        self, state: MatchState, number: int, row: Row, linked: Linked, reason: LinkEndReason
    ) -> list[Outcome]:
        pair = state.link(linked.link_id)
        other = state.row(linked.other)
        row.links = [one for one in row.links if one.link_id != linked.link_id]
        other.links = [one for one in other.links if one.link_id != linked.link_id]
        state.put_row(number, row)
        state.put_row(linked.other, other)
        state.drop_link(linked.link_id)
        newer_is_row = pair is None or pair[0] == number
        first, second = (other, row) if newer_is_row else (row, other)
        return [
            LinkEnded(
                link_id=linked.link_id,
                kind=_kind_of(row, other),
                first=_ref(first),
                second=_ref(second),
                reason=reason,
            )
        ]


def stored(identity: Identity | None) -> Encoding:
    """An encoding as the state keeps it: one presence mask for all blocks, absent fields left out."""
    if identity is None or not identity.blocks:
        return Encoding(0 if identity is None else identity.epoch, 0, b"", b"", b"")
    blocks = identity.blocks
    sent = next((block.filters for block in blocks if block.filters), _NO_FILTERS)
    mask = presence(sent)
    nothing = bytes(len(sent))
    return Encoding(
        identity.epoch,
        mask,
        bytes([block.pass_number for block in blocks]),
        b"".join([block.token[:STORED_TOKEN_BYTES] for block in blocks]),
        pack([block.filters or nothing for block in blocks], mask),
    )


_NO_FILTERS: Final = bytes(FILTER_BYTES)


def _queued(pending: Sequence[Submitted], one: Submitted) -> list[Submitted]:
    """With one more, by version and then as they came. Beyond the bound the lowest version goes; among equal versions
    the last, since a region takes the first that it can and calls the others a conflict."""
    if not pending:
        return [one]
    queue = sorted([*pending, one], key=lambda waiting: waiting.version)
    if len(queue) > PENDING_MAX:
        lowest = queue[0].version
        del queue[max(at for at, waiting in enumerate(queue) if waiting.version == lowest)]
    return queue


def _first_of(pending: Sequence[Submitted], ref: RecordRef) -> Submitted | None:
    """What a settlement speaks of: a region judges the submissions of a version in the order in which they came."""
    for waiting in pending:
        if waiting.version == ref.version and waiting.region == ref.region and waiting.encoding is not None:
            return waiting
    return None


def _without_first(pending: Sequence[Submitted], one: Submitted) -> list[Submitted]:
    at = list(pending).index(one)
    return [*pending[:at], *pending[at + 1 :]]


def _shared_looks(row: Row, other: Row) -> tuple[Encoding, Encoding, list[int]] | None:
    for ours in row.encodings:
        for theirs in other.encodings:
            if ours.epoch != theirs.epoch:
                continue
            size = STORED_TOKEN_BYTES
            places = {theirs.tokens[at * size : (at + 1) * size]: at for at in range(len(theirs.passes))}
            looks: list[int] = []
            for at in range(len(ours.passes)):
                token = ours.tokens[at * size : (at + 1) * size]
                if token in places and len(looks) < LOOKS_MAX:
                    looks.append(at << 6 | places[token])
            if looks:
                return ours, theirs, looks
    return None


def _kind_of(row: Row, other: Row) -> LinkKind:
    both = row.kind == other.kind == RecordKind.REGISTRATION.value
    return LinkKind.REGISTERED_TWICE if both else LinkKind.WAITING_AND_REGISTERED


def _one_provider(a: Row, b: Row) -> bool:
    if a.provider and b.provider:
        return a.provider == b.provider
    return a.kind == b.kind and a.tenant == b.tenant


def _new_link_id(state: MatchState) -> str:
    """The next name of a link, by a count of the nation's links and nothing else.

    A package gets it. A hash over the two records, as it once was, would let it try out whose client the other one is.
    """
    state.count("links")
    return hashlib.blake2b(b"link/%d" % state.tallies["links"], digest_size=10).hexdigest()


def _linked(row: Row, link_id: str) -> Linked:
    return next(linked for linked in row.links if linked.link_id == link_id)


def _at(ref: RecordRef, region: RegionCode) -> RecordRef:
    return RecordRef(
        tenant=ref.tenant,
        provider=ref.provider,
        kind=ref.kind,
        record_id=ref.record_id,
        version=ref.version,
        region=region,
    )


def _ref(row: Row) -> RecordRef:
    return RecordRef(
        tenant=TenantId(row.tenant),
        provider=Agb(row.provider),
        kind=RecordKind(row.kind),
        record_id=RecordId(row.record_id),
        version=row.version,
        region=RegionCode(row.region),
    )
