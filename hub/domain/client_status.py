"""What a client on the regional list may be told, in the same words everywhere (rule 40; S0, rule 28).

Insurers, KSV and VSV speak to clients with one voice, so the hub states her status once for each change, to the tool
that holds the list and to her insurer: a code, and a sentence in Dutch and English that any of them can pass on. It
names no provider: who was asked is between provider and coordinator until somebody said yes, and then the tool knows.
"""

from typing import Final

import msgspec

from hub.domain.case import Case
from hub.domain.facts import ClientStatusChanged
from hub.domain.words import AllocationStatus, ClientStatus

KRAAMCENTRUM_OFFERED: Final = "kraamcentrum_offered"
"""Reason of an unplaced client who is offered a place in a kraamcentrum: an informed offer (S1, rule 41)."""
BEYOND_HORIZON: Final = "beyond_horizon"
"""Reason of an unplaced client who is due after the months of the forecast: nobody can say yet who has room by then."""
TOO_MANY_PROPOSALS: Final = "too_many_proposals"
"""Reason of an unplaced client for whom there is room, in a region that can keep no more proposals."""
_NOBODY_ASKED: Final = (BEYOND_HORIZON, TOO_MANY_PROPOSALS)

SENTENCES: Final = {
    ClientStatus.WAITING: (
        "U staat op de regionale wachtlijst voor kraamzorg.",
        "You are on the regional waiting list for maternity care.",
    ),
    ClientStatus.PROVIDER_ASKED: (
        "Er is een kraamzorgaanbieder gevraagd om u zorg te geven; u hoort het antwoord.",
        "A provider was asked to care for you; you will hear the answer.",
    ),
    ClientStatus.PROVIDER_FOUND: (
        "Er is een kraamzorgaanbieder voor u gevonden; die neemt contact met u op.",
        "A provider was found for you and will contact you.",
    ),
    ClientStatus.NO_PROVIDER_YET: (
        "Er is nog geen kraamzorgaanbieder met ruimte; u blijft op de lijst en er wordt verder gezocht.",
        "No provider has room yet; you stay on the list and the search goes on.",
    ),
    ClientStatus.KRAAMCENTRUM_OFFERED: (
        "Er is thuis geen ruimte; u kunt een plaats in een kraamcentrum krijgen. Weigeren heeft geen gevolgen.",
        "There is no room at home; a place in a maternity centre is offered. Declining has no consequences.",
    ),
    ClientStatus.INSURER_ASKED: (
        "Uw zorgverzekeraar is gevraagd een kraamzorgaanbieder voor u te zoeken.",
        "Your insurer was asked to find a provider for you.",
    ),
    ClientStatus.REGISTERED: (
        "U staat ingeschreven bij een kraamzorgaanbieder.",
        "You are registered with a provider.",
    ),
    ClientStatus.OFF_THE_LIST: (
        "U staat niet meer op de regionale wachtlijst.",
        "You are no longer on the regional waiting list.",
    ),
}
"""Dutch, then English."""


def status_after(status: AllocationStatus, reason: str, *, listed: bool) -> ClientStatus:
    """What a statement about a proposal means for the client."""
    match status:
        case AllocationStatus.PROPOSED:
            return ClientStatus.PROVIDER_ASKED
        case AllocationStatus.ACCEPTED:
            return ClientStatus.PROVIDER_FOUND
        case AllocationStatus.UNPLACED if reason in _NOBODY_ASKED:
            return ClientStatus.WAITING
        case AllocationStatus.UNPLACED:
            return ClientStatus.KRAAMCENTRUM_OFFERED if reason == KRAAMCENTRUM_OFFERED else ClientStatus.NO_PROVIDER_YET
        case _:
            return ClientStatus.WAITING if listed else ClientStatus.OFF_THE_LIST


def tell_clients(case: Case) -> None:
    """Once an event is judged, tell each new status; what came and went within the event stays silent."""
    for key, status in sorted(case.client_statuses.items()):
        row = case.state.waiting.get(key)
        if row is None or row.status_told == status:
            continue
        case.state.put_waiting(key, msgspec.structs.replace(row, status_told=status))
        insurer = case.place.reference.insurer.get(row.insurer)
        nl, en = SENTENCES[status]
        for recipient in (row.tenant,) if insurer is None else (row.tenant, insurer):
            case.say(
                ClientStatusChanged(
                    recipient=recipient, region=case.region, waiting_tenant=row.tenant, waiting_id=row.record_id,
                    status=status, message_nl=nl, message_en=en,
                )
            )  # fmt: skip
