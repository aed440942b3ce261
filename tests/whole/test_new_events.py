"""What changes a running hub, through real intake and real folds: takeover, another model, a later region."""

from dataclasses import replace
from datetime import date
from typing import Any

from hub.contracts import catalogue as c
from hub.contracts import codec
from hub.domain import events as e
from hub.domain import facts as f
from hub.domain.identifiers import Agb, Pc4, RecordId, RegionCode, TenantId
from hub.domain.reference import PostcodeMove, Reference, Region, Role, Tenant
from hub.domain.warm_model import WARM_MODEL
from hub.domain.words import RegistrationStatus
from hub.edge import EdgeEncoder, FileKey
from hub.edge.person import PersonFields
from hub.match_evaluation.trainer import prior_parts, train
from tests.contracts.examples import example
from tests.contracts.world import REFERENCE
from tests.whole.one_process import FIRST_MS, OneProcess

A, B, OFFICE, OPERATOR = TenantId("pkg-a"), TenantId("pkg-b"), TenantId("office"), TenantId("operator")
ROOS, LINDE = Agb("41000001"), Agb("41000002")
ENCODER = EdgeEncoder(FileKey.generate(), 1)
ANNA = PersonFields(
    given_names="Johanna", surname="van der Berg", birth_date="1991-04-03", bsn="999990342", phone="0612345678",
    postcode="1011AB", house_number="12",
)  # fmt: skip


def mandate(provider: Agb, tenant: TenantId) -> e.MandateGranted:
    """From 2020 on."""
    return e.MandateGranted(
        record_id=RecordId(f"m-{provider}-{tenant}"), version=1, provider=provider, mandate_tenant=tenant,
        bo_member=False, valid_from=date(2020, 1, 1),
    )  # fmt: skip


def registration(record: str, provider: Agb, **change: Any) -> e.RegistrationSubmitted:
    """Anna registers."""
    given = {
        "record_id": record, "provider": provider, "pc4": "1011", "identity": ENCODER.encode(ANNA),
        "due_date": date(2026, 6, 1), "requested_on": date(2026, 1, 10), "indicated_minutes": 2940, **change,
    }  # fmt: skip
    made: e.RegistrationSubmitted = replace(example(e.RegistrationSubmitted), **given)
    return made


def hub(reference: Reference = REFERENCE) -> OneProcess:
    """Two providers with their packages, on their first day."""
    made = OneProcess(reference)
    for provider, tenant in ((ROOS, A), (LINDE, B)):
        made.send(OFFICE, codec.encode(mandate(provider, tenant)))
    made.send(TenantId("clock"), codec.encode(e.DayStarted(date=date(2026, 1, 10))))
    return made


def last_code(one: OneProcess) -> str:
    """The code of the newest receipt for the newest input."""
    newest = one.inputs[-1].encode()
    for place in sorted(one.facts):
        for fact in one.facts[place]:
            if dict(fact.headers).get("ce_hubsrc") == newest:
                return str(codec.decode(fact.value).code)
    raise AssertionError("no receipt")


def test_a_takeover_reaches_regions_and_match_and_links_end_under_the_new_name() -> None:
    """The new package withdraws what it took over, and the duplicate that was found is resolved."""
    one = hub()
    one.send(A, codec.encode(registration("r1", ROOS)))
    one.send(B, codec.encode(registration("b1", LINDE)))
    assert [x for x in one.decoded() if isinstance(x, e.LinkFound)]
    sent = e.RegistrationsTakenOver(
        record_id=RecordId("t-1x"), version=1, provider=ROOS, old_tenant=A, new_tenant=B,
        ids=(e.TakenOverId(old_id=RecordId("r1"), new_id=RecordId("roos-1x")),),
    )  # fmt: skip
    one.send(B, codec.encode(sent))
    assert last_code(one) == "no_mandate"
    one.send(OFFICE, codec.encode(mandate(ROOS, B)))
    one.send(B, codec.encode(replace(sent, version=2)))
    assert last_code(one) == "applied"
    assert [type(x) for x in one.decoded()].count(e.RecordsTakenOver) == 2, "NL's word, and that of the one region"
    gone = registration("roos-1x", ROOS, version=2, status=RegistrationStatus.WITHDRAWN, identity=None)
    one.send(B, codec.encode(gone))
    assert last_code(one) == "applied"
    assert [x for x in one.decoded() if isinstance(x, e.LinkEnded)]


def test_a_trainers_model_is_adopted_by_a_running_hub() -> None:
    """What the trainer made goes through the operator's inbox and is what the fold scores with from then on."""
    one = hub()
    model = train((), prior_parts(), "trained-1x")
    adopted = e.ModelAdopted(
        record_id=RecordId("model-1x"), version=1, model_version=model.version, explanations=model.explanations
    )
    one.send(OPERATOR, codec.encode(adopted))
    assert last_code(one) == "applied"
    match = one.machines[(c.IDENTITY_LOG, 0)]
    taken = match.snapshot()
    assert any(b"trained-1x" in part for part in taken.parts.values() if part is not None)
    one.send(A, codec.encode(registration("r1", ROOS)))
    one.send(B, codec.encode(registration("b1", LINDE)))
    assert [x for x in one.decoded() if isinstance(x, e.LinkFound)]
    lame = replace(adopted, version=2, explanations=WARM_MODEL.explanations[:1])
    one.send(OPERATOR, codec.encode(lame))
    assert last_code(one) == "invalid_model"


def test_rules_that_no_release_knows_are_refused_before_they_reach_a_log() -> None:
    """A slip of the operator must not stop the hub."""
    one = hub()
    one.send(OPERATOR, codec.encode(e.RulesActivated(record_id=RecordId("rules-1x"), version=1, rules_version=99)))
    assert last_code(one) == "unknown_rules"
    one.send(A, codec.encode(registration("r1", ROOS)))
    assert last_code(one) == "applied"


def test_a_region_that_comes_later_is_opened_and_takes_its_postcodes() -> None:
    """From the moment of its rows; a client who is registered anew there moves, as after any move."""
    opens = FIRST_MS + 6
    new = RegionCode("KSV-03")
    later = replace(
        REFERENCE,
        version=2,
        regions=(*REFERENCE.regions, Region(new, "Nieuw", 1, valid_from_ms=opens)),
        tenants=(*REFERENCE.tenants, Tenant(TenantId("ksv-03"), Role.KSV, region=new, valid_from_ms=opens)),
        postcode_moves=(PostcodeMove(Pc4("1011"), new, opens),),
    )
    one = hub(later)
    one.send(A, codec.encode(registration("r1", ROOS)))
    assert last_code(one) == "applied"
    one.send(A, codec.encode(registration("r2", ROOS, due_date=date(2026, 7, 1))))
    assert last_code(one) == "applied", "the last moment of the old region"
    one.send(TenantId("clock"), codec.encode(e.DayStarted(date=date(2026, 1, 11))))
    assert [x.region for x in one.decoded() if isinstance(x, e.RegionOpened)] == [new]
    one.send(A, codec.encode(registration("r1", ROOS, version=2)))
    assert last_code(one) == "applied"
    settled = [x for x in one.decoded() if isinstance(x, e.RecordSettled)]
    assert settled[-1].record.region == new
    assert [x.new_region for x in one.decoded() if isinstance(x, e.RecordMoved)] == [new]
    closed = {(x.region, x.date.day) for x in one.decoded() if isinstance(x, f.DayClosed)}
    one.send(TenantId("clock"), codec.encode(e.DayStarted(date=date(2026, 1, 12))))
    assert (new, 12) in {(x.region, x.date.day) for x in one.decoded() if isinstance(x, f.DayClosed)} - closed
