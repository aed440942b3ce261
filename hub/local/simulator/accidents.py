"""What goes wrong in the field, planted on purpose: broken bytes, wrong senders, impossible values, leaked identities.

Each accident is a line of the truth with the receipt that must follow, whatever order the hub reads in. A line with
`accident` holds identities that only the sender's own inbox and its dead letters may contain.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from hub.contracts import codec
from hub.contracts.schemas import registry
from hub.domain import events as e
from hub.domain.identifiers import Agb, Pc4, RecordId, RegionCode, TenantId, Uzovi, month_text
from hub.domain.words import AllocationAnswer, ContractClass, MeasureStatus, ReceiptOutcome
from hub.local.simulator import national as world
from hub.local.simulator.messages import Expected, Message, Told
from hub.local.simulator.national import START, Client, Nation, Story, insurer_tenant
from hub.local.simulator.people import Person
from hub.local.simulator.stories import registration

_REFUSED, _UNREADABLE = ReceiptOutcome.REFUSED, ReceiptOutcome.UNREADABLE


def accidents(nation: Nation) -> Iterator[tuple[int, Message]]:
    """(day, message) of everything that is planted; days lie within the first weeks."""
    draw = random.Random(f"accidents/{nation.seed}/{len(nation.clients)}")
    plain = [c for c in nation.clients if c.story is Story.PLAIN]
    for index, (message, expected, kind) in enumerate(
        [*_broken_bytes(nation, plain), *_wrong_senders(nation, plain), *_wrong_values(nation, plain)]
    ):
        day = 1 + (index * 3) % max(1, min(20, nation.days - 5))
        yield day, replace(message, told=Told(kind, (_identifier(message),), expected=expected))
    for day, message in _leaks(nation, plain, draw):
        yield day, message
    yield from _conflicts(plain)


def _identifier(message: Message) -> str:
    record = getattr(message.event, "record_id", None) if message.event is not None else None
    return f"{message.tenant}/{record or 'no-id'}"


def _fresh(client: Client, number: int) -> e.RegistrationSubmitted:
    """A registration that is right in everything, under an id that nothing else uses."""
    record = RecordId(f"x{number:02d}-{client.record_id}")
    return replace(registration(client, client.provider, record), identity=None)


def _broken_bytes(nation: Nation, plain: list[Client]) -> Iterator[tuple[Message, Expected, str]]:
    client, tenant = plain[0], plain[0].provider.package
    good = codec.encode(_fresh(client, 0))
    ours = registry().latest["ReceiptIssued"].id
    bent = bytearray(good)
    bent[6] = 0xFE
    for number, (what, raw, code) in enumerate(
        (
            ("empty", b"", "not_confluent_framed"),
            ("no_frame", b"\x07" + good[1:], "not_confluent_framed"),
            ("xml", b"<bericht><soort>inschrijving</soort></bericht>", "not_confluent_framed"),
            ("unknown_schema", b"\x00" + (70_001).to_bytes(4, "big") + good[5:], "unknown_schema"),
            ("hub_schema", b"\x00" + ours.to_bytes(4, "big") + good[5:], "schema_not_for_inboxes"),
            ("cut_off", good[: len(good) // 2], "not_decodable"),
            ("trailing", good + b"\x00\x00\x00", "not_canonical"),
            ("oversize", good + bytes(100_000), "too_large"),
        )
    ):
        key = f"bytes-{number}".encode()
        yield Message(tenant, raw=raw, key=key), Expected(_UNREADABLE, code), f"unreadable_{what}"


def _wrong_senders(nation: Nation, plain: list[Client]) -> Iterator[tuple[Message, Expected, str]]:
    client = plain[1]
    package = client.provider.package
    area = nation.area[client.region]
    unmandated = next(t for t, _ in world.PACKAGES if t != package)
    yield Message(TenantId(unmandated), _fresh(client, 10)), Expected(_REFUSED, "no_mandate"), "no_mandate"
    stranger = replace(_fresh(client, 11), provider=Agb("41999999"))
    yield Message(package, stranger), Expected(_REFUSED, "no_mandate"), "unknown_provider"
    yield (
        Message(insurer_tenant(client.insurer), _fresh(client, 12)),
        Expected(_REFUSED, "role_may_not_publish"),
        "wrong_role",
    )
    yield (
        Message(area.coordinator, e.DayStarted(date=START + timedelta(days=400))),
        Expected(_REFUSED, "role_may_not_publish"),
        "wrong_clock",
    )
    month = month_text(nation.months()[3])
    speaks, other = Uzovi(world.INSURERS[0][0]), Uzovi(world.INSURERS[1][0])
    figures = e.ProviderFiguresPublished(
        record_id=RecordId("figures-of-another-1"),
        version=1,
        insurer=other,
        provider=client.provider.agb,
        region=client.region,
        month=month,
        mean_care_minutes=2400,
        capacity_minutes=100_000,
    )
    yield Message(insurer_tenant(speaks), figures), Expected(_REFUSED, "wrong_tenant"), "other_insurer"
    contract = e.ContractDeclared(
        record_id=RecordId("contract-of-another-1"),
        version=1,
        insurer=other,
        provider=client.provider.agb,
        contract_class=ContractClass.A,
        postcodes=(),
        valid_from=date(2026, 1, 1),
    )
    yield Message(insurer_tenant(speaks), contract), Expected(_REFUSED, "wrong_tenant"), "other_insurer_contract"
    elsewhere = next(a for a in nation.areas if a.region != area.region)
    guideline = e.GuidelineAdopted(
        record_id=RecordId("guide-of-another-1"),
        version=1,
        region=elsewhere.region,
        month=month,
        guideline_minutes=1800,
    )
    yield Message(area.coordinator, guideline), Expected(_REFUSED, "wrong_tenant"), "other_region"
    concurred = e.RegionPlanConcurred(
        record_id=RecordId("concur-unknown-1"),
        version=1,
        insurer=area.lead_insurers[0],
        region=area.region,
        plan_id=RecordId("plan-that-never-came-1"),
        plan_version=3,
    )
    yield (
        Message(insurer_tenant(area.lead_insurers[0]), concurred),
        Expected(_REFUSED, "unknown_plan_version"),
        "unknown_plan",
    )


def _wrong_values(nation: Nation, plain: list[Client]) -> Iterator[tuple[Message, Expected, str]]:
    client = plain[2]
    package = client.provider.package
    right = _fresh(client, 20)
    care = e.CareDelivered(
        record_id=RecordId("care-wrong-1"),
        version=1,
        provider=client.provider.agb,
        pc4=client.pc4,
        registration_id=client.record_id,
        born_on=START,
        physical_minutes=1500,
        digital_minutes=60,
        digital_consent=True,
        employed_minutes=1500,
        self_employed_minutes=0,
        hospital_days=0,
        carers=1,
        carer_codes_present=True,
    )
    rows: list[tuple[Any, str, str]] = [
        (replace(right, provider=Agb("4100012")), "invalid_agb", "short_agb"),
        (replace(right, insurer=Uzovi("91O1")), "invalid_uzovi", "letter_in_uzovi"),
        (replace(right, pc4=Pc4("0123")), "invalid_pc4", "zero_pc4"),
        (replace(right, pc4=Pc4("1012AB")), "invalid_pc4", "whole_postcode"),
        (replace(right, pc4=world.OUTSIDE), "postcode_outside_regions", "outside"),
        (replace(right, due_date=date(1926, 3, 2)), "impossible_date", "century"),
        (replace(right, requested_on=client.due_date - timedelta(days=700)), "impossible_date", "too_early"),
        (replace(right, indicated_minutes=-60), "impossible_minutes", "negative"),
        (replace(right, indicated_minutes=49 * 60 * 60), "impossible_minutes", "seconds_for_minutes"),
        (replace(right, version=0), "invalid_version", "version_zero"),
        (replace(right, record_id=RecordId("een kenmerk/1")), "invalid_record_id", "blank_in_id"),
        (
            replace(care, record_id=RecordId("care-wrong-2"), employed_minutes=1400, self_employed_minutes=200),
            "parts_exceed_total",
            "parts",
        ),
        (
            replace(care, record_id=RecordId("care-wrong-3"), digital_consent=False),
            "digital_without_consent",
            "no_consent",
        ),
        (
            replace(care, record_id=RecordId("care-wrong-4"), registration_id=RecordId("reg-nobody-4")),
            "unknown_record_here",
            "no_such_registration",
        ),
    ]
    for event, code, kind in rows:
        yield Message(package, event), Expected(_REFUSED, code), f"wrong_{kind}"
    ksv = nation.areas[0]
    nowhere = e.MeasureReported(
        record_id=RecordId("measure-nowhere-1"),
        version=1,
        region=RegionCode("KSV-99"),
        measure="mutual-aid",
        status=MeasureStatus.STARTED,
        on=START,
    )
    yield Message(ksv.coordinator, nowhere), Expected(_REFUSED, "unknown_region"), "wrong_region"
    guideline = e.GuidelineAdopted(
        record_id=RecordId("guide-wrong-1"), version=1, region=ksv.region, month="2026-13", guideline_minutes=1800
    )
    yield Message(ksv.coordinator, guideline), Expected(_REFUSED, "invalid_month"), "wrong_month"
    answer = e.AllocationAnswered(
        record_id=RecordId("answer-to-nothing-1"),
        version=1,
        provider=client.provider.agb,
        region=client.region,
        proposal_id="proposal-nobody-1",
        answer=AllocationAnswer.ACCEPTED,
    )
    yield Message(package, answer), Expected(_REFUSED, "unknown_proposal"), "wrong_proposal"


def _leaks(nation: Nation, plain: list[Client], draw: random.Random) -> Iterator[tuple[int, Message]]:
    """Identities where none may be. The persons exist for this alone."""
    del draw
    known = {value for client in nation.clients for value in client.person.told().values()}
    for number in range(3):
        client = plain[10 + number]
        package = client.provider.package
        right = _fresh(client, 30 + number)
        victims = [_stranger(nation, client.pc4, known) for _ in range(5)]

        def line(kind: str, victim: Any, code: Expected) -> Told:
            return Told(kind, (), victim.told(), (victim.mark,), accident=True, expected=code)

        looks = Expected(_REFUSED, "looks_like_identity")
        bsn, phone, name, letter, key = victims
        yield (
            3 + number,
            Message(package, replace(right, record_id=RecordId(bsn.bsn)), told=line("leak_bsn_as_id", bsn, looks)),
        )
        yield (
            6 + number,
            Message(
                package, replace(right, record_id=RecordId(phone.phone)), told=line("leak_phone_as_id", phone, looks)
            ),
        )
        words = RecordId("".join(c for c in name.name if c.isascii() and c.isalpha()))
        yield 9 + number, Message(package, replace(right, record_id=words), told=line("leak_name_as_id", name, looks))
        text = f'{{"naam": "{letter.name}", "bsn": "{letter.bsn}", "kenmerk": "{letter.mark}"}}'.encode()
        told = line("leak_json", letter, Expected(_UNREADABLE, "not_confluent_framed"))
        yield 12 + number, Message(package, raw=text, key=letter.bsn.encode(), told=told)
        headers = (("x-client", f"{key.name} {key.bsn}".encode()), ("Faust-Ag-ReplyTo", b"inbox.clock"))
        measure = e.MeasureReported(
            record_id=RecordId(f"measure-leak-{number}"),
            version=1,
            provider=client.provider.agb,
            region=client.region,
            measure="mutual-aid",
            status=MeasureStatus.STARTED,
            on=START,
        )
        told = line("leak_in_key_and_header", key, Expected(ReceiptOutcome.ACCEPTED, "applied"))
        yield 15 + number, Message(package, measure, key=key.mark.encode(), headers=headers, told=told)


def _stranger(nation: Nation, pc4: Pc4, known: set[str]) -> Person:
    """Somebody who shares no name, street or number with any client: else a search for hers would find the accident."""
    while True:
        somebody = nation.population.somebody(pc4)
        if not known.intersection(value for name, value in somebody.told().items() if name != "birth_date"):
            return somebody


def _conflicts(plain: list[Client]) -> Iterator[tuple[int, Message]]:
    for client in plain[20:24]:
        first = registration(client, client.provider, client.record_id)
        day = max(1, (client.requested_on - START).days + 1)
        other = replace(first, indicated_minutes=first.indicated_minutes - 60)
        expected = Expected(ReceiptOutcome.CONFLICT, "same_version_other_content")
        told = Told("conflict", (f"{client.provider.package}/{client.record_id}",), expected=expected)
        yield day, Message(client.provider.package, other, person=client.person, told=told)
