"""What an input must look like: a row a reason, each with its code and the field that it points at."""

import inspect
import re
from datetime import date
from typing import Any

import pytest

from hub.contracts import validation
from hub.contracts.catalogue import INPUTS, Destination
from hub.contracts.validation import Refusal, check_input
from hub.domain import events as e
from hub.domain import identity as identity_rules
from hub.domain.codes import SENTENCES
from hub.domain.identity import Block, Identity
from hub.domain.reference import Role
from tests.contracts.examples import example
from tests.contracts.world import REFERENCE

SENDER = {
    Role.PACKAGE: "pkg-a",
    Role.INSURER: "ins-3311",
    Role.WAITLIST: "wait-a",
    Role.KSV: "ksv-01",
    Role.OFFICE: "office",
    Role.CLOCK: "clock",
    Role.OPS: "ops",
    Role.BO: "bo",
    Role.OPERATOR: "operator",
}
ONE_BLOCK = Block(pass_number=1, token=b"12345678", filters=b"")
UNKNOWN_EPOCH = Identity(epoch=99, blocks=(Block(pass_number=1, token=b"12345678", filters=b""),))


def refusal(event: Any, sender: str | None = None) -> Refusal | None:
    """What intake would say to `event` of the first role that may publish it."""
    tenant = sender or SENDER[INPUTS[type(event)].writers[0]]
    return check_input(event, REFERENCE.tenant.get(tenant), REFERENCE)  # type: ignore[call-overload]


@pytest.mark.parametrize("kind", INPUTS, ids=lambda k: k.__name__)
def test_a_careful_vendor_is_let_through(kind: type[Any]) -> None:
    """The example of every type is valid, so each row below fails for its own reason only."""
    assert refusal(example(kind)) is None


@pytest.mark.parametrize(
    ("code", "pointer", "event"),
    [
        ("invalid_agb", "/provider", example(e.RegistrationSubmitted, provider="4100001")),
        ("invalid_uzovi", "/insurer", example(e.RegistrationSubmitted, insurer="33I1")),
        ("invalid_pc4", "/pc4", example(e.RegistrationSubmitted, pc4="1011AB")),
        ("postcode_outside_regions", "/pc4", example(e.RegistrationSubmitted, pc4="9999")),
        ("unknown_region", "/region", example(e.CapacityDeclared, region="KSV-99")),
        ("invalid_record_id", "/record_id", example(e.RegistrationSubmitted, record_id="")),
        ("looks_like_identity", "/record_id", example(e.RegistrationSubmitted, record_id="999990342")),
        ("looks_like_identity", "/record_id", example(e.RegistrationSubmitted, record_id="0612345678")),
        ("looks_like_identity", "/record_id", example(e.RegistrationSubmitted, record_id="Jansen")),
        ("invalid_version", "/version", example(e.RegistrationSubmitted, version=0)),
        ("impossible_date", "/due_date", example(e.RegistrationSubmitted, due_date=date(1969, 1, 1))),
        ("impossible_date", "/requested_on", example(e.RegistrationSubmitted, requested_on=date(2024, 3, 1))),
        ("impossible_date", "/period_until", example(e.FullDeclared, period_until=date(2026, 2, 1))),
        ("impossible_minutes", "/indicated_minutes", example(e.RegistrationSubmitted, indicated_minutes=-1)),
        ("impossible_minutes", "/indicated_minutes", example(e.RegistrationSubmitted, indicated_minutes=12_001)),
        ("impossible_count", "/hospital_days", example(e.CareDelivered, hospital_days=-1)),
        ("invalid_month", "/month", example(e.GuidelineAdopted, month="2026-13")),
        ("invalid_code", "/measure", example(e.MeasureReported, measure="Shorter care!")),
        ("parts_exceed_total", "/physical_minutes", example(e.CareDelivered, employed_minutes=5)),
        ("parts_exceed_total", "/subcontracted_minutes", example(e.CapacityDeclared, subcontracted_minutes=9)),
        ("missing_reason", "/reason", example(e.AllocationAnswered, answer="declined")),
        ("unknown_epoch", "/identity", example(e.RegistrationSubmitted, identity=UNKNOWN_EPOCH)),
    ],
)
def test_what_cannot_be_is_refused_with_its_own_code(code: str, pointer: str, event: Any) -> None:
    """One code a reason, and the field where it was found."""
    if isinstance(event, e.CareDelivered) and code == "impossible_count":
        event = example(e.CareDelivered, hospital_days=-1, employed_minutes=0, self_employed_minutes=0)
    assert refusal(event) == Refusal(code, pointer)


def test_each_role_publishes_its_own_types_only() -> None:
    """The catalogue's writers are all who may."""
    for kind, row in INPUTS.items():
        for role, tenant in SENDER.items():
            said = refusal(example(kind), tenant)
            assert (said == Refusal("role_may_not_publish", "")) == (role not in row.writers), (kind, role)


def test_an_insurer_speaks_for_itself_alone() -> None:
    """The UZOVI code in the record must be the tenant's own."""
    assert refusal(example(e.ContractDeclared, insurer="7119")) == Refusal("wrong_tenant", "/insurer")


def test_a_ksv_speaks_for_its_own_region_alone() -> None:
    """Also where the other region exists."""
    assert refusal(example(e.GuidelineAdopted, region="KSV-02")) == Refusal("wrong_tenant", "/region")


def test_nobody_unknown_is_heard() -> None:
    """A tenant without a row in the tables has no inbox, and no say."""
    assert refusal(example(e.DayStarted), "stranger") == Refusal("unknown_tenant", "")


def test_every_code_has_a_sentence_in_both_languages() -> None:
    """A code without words helps nobody at three in the morning."""
    assert all(s.nl and s.en and s.nl != s.en for s in SENTENCES.values())


def test_the_dutch_tells_as_much_as_the_english() -> None:
    """Who reads Dutch alone must know as well what to do now: no clause of the English is left out."""
    shorter = {code for code, (nl, en) in SENTENCES.items() if clauses(nl) < clauses(en)}
    assert shorter == set()


def clauses(text: str) -> int:
    """Parts of a message that end in a full stop, a colon or a semicolon."""
    return len(re.findall(r"[.;:](?= |$)", text))


def test_every_type_that_goes_to_one_region_says_which() -> None:
    """By postcode or by region field, checked on the schema."""
    for row in INPUTS.values():
        names = set(row.kind.__dataclass_fields__)
        if row.destination is Destination.BY_PC4:
            assert "pc4" in names
        if row.destination is Destination.BY_REGION:
            assert "region" in names


@pytest.mark.parametrize(
    ("code", "identity"),
    [
        ("unknown_epoch", UNKNOWN_EPOCH),
        ("too_many_blocks", Identity(epoch=1, blocks=(ONE_BLOCK,) * 33)),
        ("wrong_length", Identity(epoch=1, blocks=(Block(pass_number=1, token=b"1234567", filters=b""),))),
        ("unknown_pass", Identity(epoch=1, blocks=(Block(pass_number=999, token=b"12345678", filters=b""),))),
    ],
)
def test_an_encoding_that_cannot_be_ours_is_refused(code: str, identity: Identity) -> None:
    """Each reason has its own code, and each code its sentences."""
    assert refusal(example(e.RegistrationSubmitted, identity=identity)) == Refusal(code, "/identity")
    assert code in SENTENCES


def test_every_code_that_a_check_can_give_has_a_sentence() -> None:
    """Else the receipt of a refused record could not be written: each literal code in the checks is in the table."""
    for module in (validation, identity_rules):
        source = inspect.getsource(module)
        codes = set(re.findall(r'Refusal\(\s*"([a-z_0-9]+)"', source)) | set(re.findall(r'return "([a-z_]+)"', source))
        assert codes and codes <= set(SENTENCES), codes - set(SENTENCES)
