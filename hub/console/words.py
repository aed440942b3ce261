"""Every word on the page, in Dutch and in English. Tests hold that no word of the domain is missing."""

from enum import StrEnum
from typing import Final

from hub.domain.colour_code import ReasonCode
from hub.domain.words import (
    AlertKind,
    AlertSeverity,
    AlertState,
    ComputedColour,
    DeclaredColour,
    Mediator,
    ReceiptOutcome,
)


class Language(StrEnum):
    """The page speaks Dutch unless English is asked for."""

    NL = "nl"
    EN = "en"


Pair = tuple[str, str]

COMPUTED: Final[dict[ComputedColour, Pair]] = {
    ComputedColour.UNKNOWN: ("Onbekend", "Unknown"),
    ComputedColour.GREEN: ("Groen", "Green"),
    ComputedColour.ORANGE_THREAT: ("Dreigend oranje", "Orange threatens"),
    ComputedColour.ORANGE: ("Oranje", "Orange"),
    ComputedColour.RED_THREAT: ("Dreigend rood", "Red threatens"),
    ComputedColour.RED_A: ("Rood (a)", "Red (a)"),
    ComputedColour.RED_B: ("Rood (b)", "Red (b)"),
}
DECLARED: Final[dict[DeclaredColour, Pair]] = {
    DeclaredColour.GREEN: ("Groen", "Green"),
    DeclaredColour.ORANGE: ("Oranje", "Orange"),
    DeclaredColour.RED: ("Rood", "Red"),
}
MEDIATOR: Final[dict[Mediator, Pair]] = {
    Mediator.INSURER: ("Zorgverzekeraar", "Insurer"),
    Mediator.COORDINATOR: ("Wachtlijstcoördinator", "Waitlist coordinator"),
    Mediator.NONE: ("Niemand aangewezen", "Nobody named"),
}
ALERT: Final[dict[AlertKind, Pair]] = {
    AlertKind.CODE_ORANGE_THREAT: ("Code oranje dreigt", "Code orange threatens"),
    AlertKind.CODE_ORANGE: ("Code oranje", "Code orange"),
    AlertKind.CODE_RED_THREAT: ("Code rood dreigt", "Code red threatens"),
    AlertKind.CODE_RED: ("Code rood", "Code red"),
    AlertKind.CAPACITY_UNKNOWN: ("Capaciteit onbekend", "Capacity unknown"),
    AlertKind.FALSE_FULL_CLAIM: ("‘Vol’ zonder onderbouwing", "‘Full’ that the load does not bear out"),
    AlertKind.NO_MEDIATOR_NAMED: ("Geen bemiddelaar aangewezen", "No mediator named"),
    AlertKind.MINIMAL_CARE_MISSED: ("Minimale zorg niet gegeven", "Minimal care was missed"),
    AlertKind.TENANT_HELD: ("Afzender stilgezet", "Sender on hold"),
    AlertKind.UNPLACED_URGENT: ("Spoed: cliënt niet geplaatst", "Urgent: a client is not placed"),
}
SEVERITY: Final[dict[AlertSeverity, Pair]] = {
    AlertSeverity.CRITICAL: ("Kritiek", "Critical"),
    AlertSeverity.WARNING: ("Waarschuwing", "Warning"),
    AlertSeverity.INFO: ("Ter informatie", "For information"),
}
STATE: Final[dict[AlertState, Pair]] = {
    AlertState.OPENED: ("Nieuw", "New"),
    AlertState.REVISED: ("Bijgewerkt", "Revised"),
    AlertState.ACKNOWLEDGED: ("In behandeling", "Being handled"),
    AlertState.ESCALATED: ("Opgeschaald", "Escalated"),
    AlertState.CLOSED: ("Gesloten", "Closed"),
}
REASON: Final[dict[ReasonCode, Pair]] = {
    ReasonCode.ALL_FULL: ("alle gecontracteerde aanbieders zijn vol", "all contracted providers are full"),
    ReasonCode.PROVIDER_FULL: ("een aanbieder is vol", "a provider is full"),
    ReasonCode.PROVIDER_UNABLE: (
        "een aanbieder kan zelf geen minimale zorg leveren",
        "a provider cannot deliver minimal care on its own",
    ),
    ReasonCode.REGION_UNABLE: (
        "de regio kan geen minimale zorg leveren",
        "the region cannot deliver minimal care",
    ),
    ReasonCode.RED_HELD: ("rood wordt pas na rustige dagen verlaten", "red is left only after quiet days"),
    ReasonCode.MEASURES_NOT_RECORDED: ("er zijn geen maatregelen vastgelegd", "no measures are recorded"),
    ReasonCode.REGION_NEAR_UNABLE: (
        "minimale zorg in de regio komt in gevaar",
        "minimal care in the region is at risk",
    ),
    ReasonCode.PROVIDER_NEAR_UNABLE: (
        "minimale zorg bij een grote aanbieder komt in gevaar",
        "minimal care at a large provider is at risk",
    ),
    ReasonCode.RED_THREAT_SIGNALLED: (
        "KSV of aanbieder meldt dreigend rood",
        "KSV or provider signals that red threatens",
    ),
    ReasonCode.GUIDELINE_FULL: (
        "een aanbieder kan niet meer inschrijven op de richtlijn",
        "a provider cannot register at the guideline any more",
    ),
    ReasonCode.SHORT_OF_MEAN: (
        "te weinig capaciteit voor de gemiddelde zorgduur",
        "too little capacity for the mean duration of care",
    ),
    ReasonCode.ORANGE_HELD: ("oranje wordt pas na rustige dagen verlaten", "orange is left only after quiet days"),
    ReasonCode.NEAR_SHORT_OF_MEAN: (
        "de gemiddelde zorgduur komt in gevaar",
        "the mean duration of care is at risk",
    ),
    ReasonCode.CAPACITY_UNKNOWN: ("de capaciteit is niet bekend genoeg", "too little is known of the capacity"),
    ReasonCode.CLAIM_CONTRADICTED: (
        "de cijfers spreken een melding ‘vol’ tegen",
        "the figures contradict a claim to be full",
    ),
    ReasonCode.CLAIM_UNVERIFIED: ("een melding ‘vol’ is nog niet bevestigd", "a claim to be full is not confirmed yet"),
    ReasonCode.NO_SHORTAGE: ("geen tekort te zien", "no shortage in sight"),
}
CAUSE: Final[dict[str, Pair]] = {
    "DayStarted": ("een nieuwe dag", "a new day"),
    "CapacityDeclared": ("opgave van capaciteit", "a declaration of capacity"),
    "FullDeclared": ("melding ‘vol’ of richtlijn vol", "a claim to be full"),
    "ClaimJudged": ("oordeel van de coördinator", "the coordinator’s word"),
    "MeasureReported": ("melding van een maatregel", "a measure reported"),
    "ColourDeclared": ("kleur afgegeven door de KSV", "a colour declared by the KSV"),
    "RedThreatSignalled": ("signaal dat rood dreigt", "a signal that red threatens"),
    "ProviderFiguresPublished": ("cijfers van een zorgverzekeraar", "an insurer’s figures"),
}
"""What can tip a region, as people call it. Tests hold that no type is missing."""
OUTCOME: Final[dict[ReceiptOutcome, Pair]] = {
    ReceiptOutcome.ACCEPTED: ("aanvaard", "accepted"),
    ReceiptOutcome.DUPLICATE: ("herhaald", "repeated"),
    ReceiptOutcome.STALE: ("verouderd", "stale"),
    ReceiptOutcome.CONFLICT: ("tegenstrijdig", "conflicting"),
    ReceiptOutcome.REFUSED: ("geweigerd", "refused"),
    ReceiptOutcome.UNREADABLE: ("onleesbaar", "unreadable"),
}
PROPOSED: Final[dict[str, Pair]] = {
    "leaving red": ("wanneer rood eindigt", "leaving red"),
    "leaving orange": ("wanneer oranje eindigt", "leaving orange"),
    "budget of signals": ("maximum aan signalen", "budget of signals"),
}
"""What a clause of ours is about, by its English words; the source of the others is a document that keeps its name."""
_REASON_CODES: Final = frozenset(ReasonCode)
TEXT: Final[dict[str, Pair]] = {
    "title": ("Kraamzorg wachtlijst-hub", "Maternity care waitlist hub"),
    "skip": ("Naar de meldingen", "Skip to the alerts"),
    "other_language": ("English", "Nederlands"),
    "day": ("Bijgewerkt tot en met", "Worked through"),
    "waitlist": ("Wachtlijst", "Waiting list"),
    "waiting": ("wachtend", "waiting"),
    "open_proposals": ("open voorstellen", "open proposals"),
    "open_proposal": ("open voorstel", "open proposal"),
    "receipts": ("Ontvangen berichten", "Messages received"),
    "now": ("Open meldingen", "Open alerts"),
    "next_step": ("Nu doen", "Do now"),
    "affected": ("Voor wie", "For whom"),
    "cause": ("Aanleiding", "Occasion"),
    "history": ("Hoe het zo kwam", "How it came about"),
    "closed_alert": ("Melding", "Alert"),
    "closed_caption": ("Laatst gesloten meldingen", "Alerts closed last"),
    "no_history": ("Nog geen kleur is veranderd.", "No colour has changed yet."),
    "no_alerts": ("Geen open meldingen.", "No open alerts."),
    "regions": ("Regio’s", "Regions"),
    "regions_caption": (
        "Berekende en door de KSV afgegeven kleur per regio, met de kans op tekort in de komende maanden.",
        "Computed colour and colour declared by the KSV per region, with the chance of a shortfall in coming months.",
    ),
    "region": ("Regio", "Region"),
    "computed": ("Berekend", "Computed"),
    "declared": ("Afgegeven door KSV", "Declared by KSV"),
    "since": ("sinds", "since"),
    "not_declared": ("Niet afgegeven", "Not declared"),
    "differs": ("wijkt af", "differs"),
    "outlook": ("Kans op tekort", "Chance of shortfall"),
    "outlook_note": ("bij de gemiddelde zorgduur", "at the mean duration of care"),
    "mediator": ("Bemiddelaar", "Mediator"),
    "why": ("Waarom deze kleur", "Why this colour"),
    "details": ("Onderbouwing", "Details"),
    "clauses": ("Bron", "Source"),
    "measures": ("Maatregelen", "Measures"),
    "none_recorded": ("geen vastgelegd", "none recorded"),
    "plan": ("Regioplan", "Region plan"),
    "no_plan": ("geen; landelijke afspraken gelden", "none; national agreements hold"),
    "plan_version": ("versie", "version"),
    "month": ("Maand", "Month"),
    "shortfall_mean": ("Tekort bij gemiddelde duur", "Shortfall at mean duration"),
    "shortfall_minimum": ("Tekort bij 24 uur", "Shortfall at 24 hours"),
    "demand": ("Vraag (uren)", "Demand (hours)"),
    "deployable": ("Inzetbaar (uren)", "Deployable (hours)"),
    "assumed": ("aangenomen", "assumed"),
    "unknown": ("onbekend", "unknown"),
    "too_few_providers": ("niet getoond: te weinig aanbieders", "not shown: too few providers"),
    "no_months": ("Nog geen prognose.", "No forecast yet."),
    "no_regions": (
        "Nog geen regio ontvangen. De eerste kleur verschijnt zodra een regio een dag heeft afgesloten.",
        "No region received yet. The first colour shows as soon as a region has closed a day.",
    ),
    "health": ("Werking van de hub", "Health of the hub"),
    "worker": ("Onderdeel", "Worker"),
    "worker_state": ("Toestand", "State"),
    "behind": ("Achterstand", "Behind"),
    "running": ("Draait", "Running"),
    "not_ready": ("Niet gereed", "Not ready"),
    "silent": ("Antwoordt niet", "Does not answer"),
    "stopped_regions": ("regio(’s) staan stil door een fout", "region(s) stand still after a fault"),
    "no_workers": ("Er worden geen onderdelen bewaakt.", "No workers are being watched."),
    "messages": ("berichten", "messages"),
    "connected": ("Live", "Live"),
    "connecting": ("Verbinden…", "Connecting…"),
    "lost": ("Verbinding verbroken; deze stand kan verouderd zijn", "Connection lost; what you see may be out of date"),
    "no_script": (
        "Zonder JavaScript ververst deze pagina niet vanzelf.",
        "Without JavaScript this page does not refresh by itself.",
    ),
    "no_clients": (
        "Deze pagina toont geen gegevens van cliënten. Kleuren zijn signalen voor mensen, nooit een besluit.",
        "This page shows no client data. Colours are signals for people, never a decision.",
    ),
    "unavailable": ("Het leesmodel antwoordt niet", "The read model does not answer"),
    "unavailable_help": (
        "De stand van de regio’s is nu niet te tonen. Feiten gaan niet verloren. "
        "Bel bij spoed de KSV-coördinator; ververs over een minuut.",
        "The state of the regions cannot be shown now. No fact is lost. "
        "If it is urgent, phone the KSV coordinator; reload in a minute.",
    ),
    "unreadable": (
        "gegevens in het leesmodel zijn niet te lezen en staan niet op deze pagina. Zie docs/runbook.md.",
        "entries of the read model cannot be read and are not on this page. See docs/runbook.md.",
    ),
    "red": ("rood", "red"),
    "orange": ("oranje", "orange"),
    "threat": ("dreiging", "threat"),
    "green": ("groen", "green"),
    "subject": ("Betreft", "Concerns"),
    "clause": ("Bron", "Source"),
    "alert_id": ("Kenmerk", "Id"),
    "open_alerts": ("open meldingen", "open alerts"),
}


def say(pair: Pair, language: Language) -> str:
    """The half of a pair that the reader asked for."""
    return pair[0] if language is Language.NL else pair[1]


def reason(code: str, language: Language) -> str:
    """The words of a reason; a code that this console does not know yet is shown as it is."""
    return say(REASON[ReasonCode(code)], language) if code in _REASON_CODES else code


def text(name: str, language: Language) -> str:
    """A fixed text of the page by name; KeyError for a name that is not in the table."""
    return say(TEXT[name], language)
