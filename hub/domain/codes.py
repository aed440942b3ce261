"""Machine codes of receipts, each with the sentence that a person reads, in Dutch and in English.

A code never changes its meaning. Each sentence says what was found, what was expected and what to do now.
No sentence repeats a value of the input: a value may be somebody's name in the wrong field.
"""

from typing import NamedTuple


class Sentence(NamedTuple):
    """One code in two languages."""

    nl: str
    en: str


SENTENCES: dict[str, Sentence] = {
    # accepted
    "applied": Sentence("Verwerkt.", "Applied."),
    "applied_not_comparable": Sentence(
        "Verwerkt, maar zonder vergelijkbare versleuteling: dubbele inschrijving valt niet op. Versleutel meer velden.",
        "Applied, but without a comparable encoding: a duplicate registration cannot be seen. Encode more fields.",
    ),
    "repeated": Sentence(
        "Deze versie was al verwerkt; er is niets veranderd.", "This version was applied before; nothing changed."
    ),
    # not the newest
    "older_version": Sentence(
        "Er is al een hogere versie verwerkt. Stuur een versie daarboven.",
        "A higher version was applied before. Send a version above it.",
    ),
    "same_version_other_content": Sentence(
        "Deze versie is al verwerkt met andere inhoud. Verhoog het versienummer en stuur opnieuw.",
        "This version was applied before with other content. Raise the version and send again.",
    ),
    # unreadable
    "too_large": Sentence(
        "Het bericht is groter dan toegestaan. Stuur één gebeurtenis per bericht.",
        "The record is larger than allowed. Send one event per record.",
    ),
    "not_confluent_framed": Sentence(
        "Het bericht begint niet met byte 0 en een schemanummer van vier bytes. Gebruik het Confluent-formaat.",
        "The record does not start with byte 0 and a four-byte schema id. Use the Confluent wire format.",
    ),
    "unknown_schema": Sentence(
        "Het schemanummer is hier niet bekend. Vraag de nummers op bij het register van de hub.",
        "The schema id is not known here. Take the ids from the hub's registry.",
    ),
    "schema_not_for_inboxes": Sentence(
        "Dit schema hoort niet in een inbox. Gebruik een van de invoertypen.",
        "This schema does not belong in an inbox. Use one of the input types.",
    ),
    "not_decodable": Sentence(
        "De inhoud past niet bij het genoemde schema. Codeer met het schema van dat nummer.",
        "The bytes do not fit the schema that they name. Encode with the schema of that id.",
    ),
    "not_canonical": Sentence(
        "De inhoud heeft extra bytes of waarden buiten het schema. Codeer precies één record.",
        "The bytes hold trailing data or values outside the schema. Encode exactly one record.",
    ),
    # who
    "role_may_not_publish": Sentence(
        "Deze soort afzender mag dit type niet publiceren. De catalogus zegt wie het wel mag.",
        "This role may not publish this type. See the catalogue for who may.",
    ),
    "unknown_tenant": Sentence(
        "Deze afzender is niet bekend of nog niet in dienst. Vraag de onafhankelijke beheerder om aanmelding.",
        "This tenant is unknown or not yet in force. Ask the trust office to register it.",
    ),
    "wrong_tenant": Sentence(
        "Het bericht spreekt voor een ander: de verzekeraar of regio is niet die van deze afzender.",
        "The record speaks for somebody else: insurer or region is not this tenant's own.",
    ),
    "no_mandate": Sentence(
        "De zorgaanbieder heeft deze afzender voor deze dag geen machtiging gegeven. Vraag de aanbieder erom.",
        "The provider gave this tenant no mandate in force on this day. Ask the provider to grant one.",
    ),
    # what
    "invalid_agb": Sentence(
        "De AGB-code heeft niet de vorm van acht cijfers. Controleer de code.",
        "The AGB code is not eight digits. Check the code.",
    ),
    "invalid_uzovi": Sentence(
        "De UZOVI-code heeft niet de vorm van vier cijfers. Controleer de code.",
        "The UZOVI code is not four digits. Check the code.",
    ),
    "invalid_pc4": Sentence(
        "De postcode heeft niet de vorm van vier cijfers van 1000 tot 9999. Stuur alleen de cijfers.",
        "The postcode is not four digits from 1000 to 9999. Send the digits only.",
    ),
    "postcode_outside_regions": Sentence(
        "Deze postcode ligt in geen enkele regio van de tabel. Controleer haar, of laat haar toevoegen.",
        "No region of the table holds this postcode. Check it, or ask the trust office to add it.",
    ),
    "unknown_region": Sentence(
        "Deze regio staat niet in de tabel. Neem de code daaruit over.",
        "The region is not in the table. Take its code from there.",
    ),
    "invalid_record_id": Sentence(
        "Het kenmerk heeft niet de vorm van 1 tot 64 letters, cijfers of ._:- met een letter of cijfer voorop.",
        "The id is not 1 to 64 letters, digits or ._:- starting with a letter or digit.",
    ),
    "looks_like_identity": Sentence(
        "Een kenmerk lijkt op een BSN, naam, telefoonnummer of mailadres. Gebruik een nietszeggend kenmerk.",
        "An id looks like a BSN, name, phone number or mail address. Use an opaque id.",
    ),
    "invalid_version": Sentence(
        "Het versienummer is kleiner dan 1. Tel vanaf 1.", "The version is below 1. Count from 1."
    ),
    "impossible_date": Sentence(
        "Een datum ligt buiten wat kan, of de laatste dag voor de eerste. Controleer de datum.",
        "A date lies outside what can be, or the last day before the first. Check it.",
    ),
    "impossible_minutes": Sentence(
        "Een duur ligt buiten wat kan. Geef een duur in hele minuten.",
        "A duration lies outside what can be. Durations are whole minutes.",
    ),
    "impossible_count": Sentence(
        "Een aantal ligt buiten wat kan. Controleer het.", "A count lies outside what can be. Check it."
    ),
    "invalid_month": Sentence("De maand heeft niet de vorm JJJJ-MM.", "The month is not written as YYYY-MM."),
    "invalid_code": Sentence(
        "Een code heeft niet de vorm van ten hoogste 40 kleine letters, cijfers en streepjes.",
        "A code is not lower-case letters, digits and dashes, at most 40.",
    ),
    "missing_reason": Sentence(
        "Bij dit antwoord hoort een reden. Stuur er een mee.", "A reason is required with this answer. Send one."
    ),
    "invalid_plan": Sentence(
        "Het regioplan spreekt zichzelf tegen. Controleer het met hub validate.",
        "The region plan contradicts itself. Run hub validate on it.",
    ),
    "parts_exceed_total": Sentence(
        "De delen zijn samen meer dan het geheel. Controleer de minuten.",
        "The parts add up to more than the whole. Check the minutes.",
    ),
    "pool_not_named": Sentence(
        "De uren van een groep zorgverleners zonder dat de groep genoemd is. Stuur ook carer_pool.",
        "The minutes of a group of carers without naming the group. Send carer_pool too.",
    ),
    "digital_without_consent": Sentence(
        "Digitale zorg zonder toestemming van de cliënt. Lever fysieke zorg of leg de toestemming vast (regel 12).",
        "Digital care without the client's consent. Deliver it as physical care or record the consent (rule 12).",
    ),
    "unknown_epoch": Sentence(
        "De versleuteling hoort bij een onbekende sleutelperiode. Haal de sleutel van de huidige periode op.",
        "The encoding belongs to an unknown key epoch. Fetch the key of the current epoch.",
    ),
    "wrong_length": Sentence(
        "De versleuteling heeft niet de juiste lengte. Versleutel met hub edge.",
        "The encoding has a wrong length. Use hub edge to encode.",
    ),
    "too_many_blocks": Sentence(
        "De versleuteling heeft te veel delen. Versleutel met hub edge.",
        "The encoding has too many blocks. Use hub edge to encode.",
    ),
    "too_many_bytes": Sentence(
        "De versleuteling is groter dan 2 KiB. Versleutel met hub edge.",
        "The encoding is larger than 2 KiB. Use hub edge to encode.",
    ),
    "unknown_pass": Sentence(
        "De versleuteling heeft een onbekend deel. Versleutel met de hub edge van deze uitgave.",
        "The encoding has a block of an unknown pass. Use the hub edge of this release to encode.",
    ),
    "repeated_block": Sentence(
        "De versleuteling heeft een deel twee keer. Versleutel met hub edge.",
        "The encoding holds a block twice. Use hub edge to encode.",
    ),
    # judged by the region
    "unknown_record_here": Sentence(
        "Deze regio heeft het genoemde dossier niet. Controleer het kenmerk en de postcode.",
        "This region does not hold the record that is named. Check its id and the postcode.",
    ),
    "already_closed": Sentence(
        "Dit dossier is al gesloten; er is niets veranderd.", "The record is closed already. Nothing changed."
    ),
    "unknown_proposal": Sentence(
        "Dit voorstel bestaat niet. Controleer het kenmerk van het voorstel.",
        "There is no such proposal. Check the proposal id.",
    ),
    "proposal_closed": Sentence(
        "Dit voorstel is al beantwoord of ingetrokken; er is niets veranderd.",
        "The proposal was answered or withdrawn before. Nothing changed.",
    ),
    "not_your_proposal": Sentence(
        "Dit voorstel is aan een andere aanbieder gedaan, of de afzender heeft er geen machtiging voor.",
        "The proposal was made to another provider, or the tenant holds no mandate for it.",
    ),
    "unknown_plan_version": Sentence(
        "Deze versie van het regioplan is hier niet bekend. Stel haar eerst vast.",
        "That version of the plan is not known here. Adopt it first.",
    ),
    "not_a_lead_insurer": Sentence(
        "Alleen de twee preferente verzekeraars van de regio stemmen in met het plan (regel 31).",
        "Only the region's two lead insurers concur with its plan (rule 31).",
    ),
    "unknown_rules": Sentence(
        "Deze versie van de regels kent de hub nog niet. Breng eerst alle onderdelen op de versie die haar heeft.",
        "The hub does not know this version of the rules. Bring all workers to the release that has it first.",
    ),
    "rules_not_newer": Sentence(
        "Deze of een hogere versie van de regels is al van kracht. Er is niets veranderd.",
        "This version of the rules, or a higher one, is in force already. Nothing changed.",
    ),
    "invalid_model": Sentence(
        "Het model heeft niet de verhalen, velden of gewichten die nodig zijn. Neem er een van de trainer.",
        "The model does not have the stories, fields or weights that matching needs. Take one from the trainer.",
    ),
    "invalid_takeover": Sentence(
        "De overname noemt twee keer dezelfde afzender of hetzelfde kenmerk. Noem er twee, en elk kenmerk eens.",
        "The takeover names one tenant or one id twice. Name two tenants, and each id once.",
    ),
    "taken_over": Sentence(
        "Een ander softwarepakket heeft dit dossier overgenomen. Alleen dat stuurt nieuwe versies.",
        "Another package has taken this record over. It alone sends further versions.",
    ),
    "region_not_open": Sentence(
        "Deze regio wordt net geopend. Stuur het bericht over een minuut opnieuw.",
        "This region is just being opened. Send the same record again in a minute.",
    ),
    "unknown_alert": Sentence(
        "Deze melding staat hier niet open. Controleer het kenmerk van de melding.",
        "There is no such alert open. Check the alert id.",
    ),
    "measure_not_in_plan": Sentence(
        "Het regioplan noemt deze maatregel niet. Gebruik een van de maatregelen uit het plan.",
        "The region plan in force does not name this measure. Use one of the measures of the plan.",
    ),
    "unknown_claim": Sentence(
        "Deze aanbieder heeft hier geen melding of opgave met dit kenmerk. Controleer aanbieder en claim_id.",
        "This provider has no standing claim or declaration with that id here. Check provider and claim_id.",
    ),
    "unknown_link": Sentence(
        "Dit signaal bestaat hier niet. Controleer het kenmerk van het signaal.",
        "There is no such duplicate signal here. Check the link id.",
    ),
    "not_held": Sentence(
        "Deze afzender staat niet stil; er is niets veranderd.", "The tenant is not held. Nothing changed."
    ),
    "day_not_next": Sentence(
        "De dag is niet de dag na de laatste. Stuur elke gemiste dag, op volgorde.",
        "The day is not the one after the last. Send every missed day in order.",
    ),
    "too_many_records": Sentence(
        "Het aantal van dit soort gegevens is op zijn grens. Sluit eerst oude.",
        "The bound on records of this kind is reached. End old ones first.",
    ),
}
"""Every code that a receipt can carry."""
