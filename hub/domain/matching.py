"""The match fold: which events of identity-log touch which rule of duplicates.py.

One state for the nation. It judges nothing that a region judges: whether a record stands is told by RecordSettled.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hub.domain import events as e
from hub.domain.duplicates import Matcher, MatchLimits, Outcome
from hub.domain.identifiers import NATIONAL, Agb, RegionCode, TenantId
from hub.domain.logged import Logged
from hub.domain.match_model import MatchModel
from hub.domain.match_state import MatchState
from hub.domain.reference import Reference, Role
from hub.domain.rule_versions import RULES_KNOWN, UnknownRules
from hub.domain.upcasts import Parts, Step, upcast_parts
from hub.domain.words import RecordKind

UPCASTS: Final[Mapping[int, Step]] = {}
"""Steps from each older state version; none has been released yet."""


class MatchRules:
    """Rules of the one fold over identity-log, started with a committed model."""

    name = "duplicates"
    state_version = 1

    def __init__(self, reference: Reference, model: MatchModel, limits: MatchLimits | None = None) -> None:
        self.reference = reference
        self.model = model
        self.matcher = Matcher(limits)

    def open(self, region: RegionCode) -> MatchState:
        """No records, and the committed model."""
        return MatchState(self.model)

    def restore(self, region: RegionCode, parts: Mapping[str, bytes]) -> MatchState:
        """The state that `changed_parts` wrote."""
        state = MatchState.restore(parts)
        if state.rules > RULES_KNOWN:
            raise UnknownRules(state.rules, RULES_KNOWN)
        return state

    def upcast(self, state_version: int, parts: Parts) -> Parts:
        """Parts that an older release wrote, in the shape of this one."""
        return upcast_parts(UPCASTS, state_version, self.state_version, parts)

    def changed_parts(self, state: MatchState) -> dict[str, bytes | None]:
        """Canonical bytes of each part changed since the last call."""
        return state.take_changed()

    def decide(self, state: MatchState, logged: Logged[Any]) -> Sequence[Outcome]:
        """What follows from one event for the links between records."""
        match logged.event:
            case e.RegistrationSubmitted() as sent:
                ref = self._ref(logged, RecordKind.REGISTRATION, sent.provider)
                return self.matcher.submit(state, ref, sent.identity, sent.due_date)
            case e.WaitingClientListed() as sent:
                ref = self._ref(logged, RecordKind.WAITING, Agb(""))
                return self.matcher.submit(state, ref, sent.identity, sent.due_date)
            case e.RecordSettled() as said:
                return self.matcher.settle(state, said.record, said.outcome, said.due_date, said.closed_by_transfer)
            case e.DayStarted(date=day):
                return self.matcher.start_day(state, day)
            case e.DuplicateFeedbackGiven() as said if self._entitled(state, said.link_id, logged.tenant):
                return self.matcher.feedback(state, said.link_id, said.verdict)
            case e.HoldReleased(held_tenant=tenant):
                return self.matcher.release_hold(state, tenant)
            case e.RecordsTakenOver() as said:
                ids = None if said.ids is None else {pair.old_id: pair.new_id for pair in said.ids}
                return self.matcher.take_over(state, said.region, said.provider, said.old_tenant, said.new_tenant, ids)
            case e.ModelAdopted() as said:
                model = MatchModel(said.model_version, said.explanations)
                return self.matcher.adopt_model(state, model, f"{logged.tenant}|{said.record_id}", said.version)
            case e.RulesActivated(rules_version=version):
                if version > RULES_KNOWN:
                    raise UnknownRules(version, RULES_KNOWN)
                state.put_rules(version)
                return ()
            case _:
                return ()

    def _ref(self, logged: Logged[Any], kind: RecordKind, provider: Agb) -> e.RecordRef:
        sent = logged.event
        region_of = self.reference.at(logged.appended_ms).region_of
        return e.RecordRef(
            tenant=logged.tenant,
            provider=provider,
            kind=kind,
            record_id=sent.record_id,
            version=sent.version,
            region=region_of.get(sent.pc4, NATIONAL),
        )

    def _entitled(self, state: MatchState, link_id: str, tenant: TenantId) -> bool:
        """Only a coordinator, or a tenant whose own record is in the link, may say what it is: ids could be guessed."""
        row = self.reference.tenant.get(tenant)
        if row is not None and row.role is Role.KSV:
            return True
        pair = state.link(link_id)
        return pair is not None and any(state.row(number).tenant == tenant for number in pair)
