"""`hub allocate`: what a scenario says comes out allocated, and a scenario that cannot be used says where and why."""

import json
from typing import Any

import pytest

from hub.errors import UsageError
from hub.local.scenario import allocate_scenario

MERWEDE = {
    "agb": "41000001",
    "employed_hours": 240,
    "self_employed_hours": 60.5,
    "own_obligation_hours": 200.25,
    "delivered_hours_12m": 3000,
    "carry_hours": 0,
    "postcodes": ["1011", "1012"],
}
LINGE = {
    "agb": "41000002",
    "employed_hours": 100,
    "self_employed_hours": 0,
    "own_obligation_hours": 76,
    "delivered_hours_12m": 1000,
    "carry_hours": 0,
    "postcodes": ["1012"],
    "contracts": ["3311"],
}


def client(id_: str, **fields: Any) -> dict[str, Any]:
    """A client in 1012 who is owed minimal care."""
    return {"id": id_, "pc4": "1012", "owed_hours": 24, "preferred": None, "requested_at": "2026-06-20"} | fields


def scenario(*clients: dict[str, Any], providers: tuple[dict[str, Any], ...] = (MERWEDE, LINGE)) -> str:
    """July in one region."""
    return json.dumps({"region": "KSV-07", "month": "2026-07", "providers": providers, "clients": clients})


def test_the_most_urgent_client_gets_the_last_place() -> None:
    """Due date first, then time on the list; whoever comes too late is told that there is no room."""
    late = client("late", due_on="2026-07-20", requested_at="2026-05-01T08:00:00Z")
    soon = client("soon", due_on="2026-07-02")
    result = allocate_scenario(scenario(late, soon, providers=(LINGE,)))
    assert [(one["client"], one["provider"], one["hours"], one["reason"]) for one in result["allocations"]] == [
        ("soon", "41000002", 24, "only_candidate")
    ]
    assert [(one["client"], one["reason"]) for one in result["unplaced"]] == [("late", "no_room")]


@pytest.mark.parametrize(
    ("fields", "providers", "reason"),
    [
        ({}, (), "no_provider"),
        ({"uzovi": "7119"}, (LINGE,), "no_contract"),
        ({"pc4": "9999"}, (MERWEDE, LINGE), "no_provider_serves_postcode"),
        ({"owed_hours": 101}, (MERWEDE, LINGE), "no_room"),
        ({"owed_hours": 0}, (MERWEDE, LINGE), "nothing_owed"),
    ],
)
def test_a_client_who_cannot_be_placed_is_told_why(
    fields: dict[str, Any], providers: tuple[dict[str, Any], ...], reason: str
) -> None:
    """The first reason that applies speaks."""
    result = allocate_scenario(scenario(client("a", **fields), providers=providers))
    assert [(one["client"], one["reason"]) for one in result["unplaced"]] == [("a", reason)]


def test_each_allocation_says_why_not_the_others() -> None:
    """She is insured where only one provider has a contract."""
    result = allocate_scenario(scenario(client("a", uzovi="7119")))
    assert result["allocations"][0]["passed_over"] == [{"provider": "41000002", "reason": "no_contract"}]


def test_targets_add_up_to_the_pool_in_whole_minutes() -> None:
    """Three clients of 24 h, shared by weight: two thirds by deployable, one third by delivered hours."""
    result = allocate_scenario(scenario(client("a"), client("b"), client("c")))
    weight = 2 * 300.5 / (3 * 400.5) + 3000 / (3 * 4000)
    assert [one["hours"] for one in result["targets"]] == pytest.approx([72 * weight, 72 * (1 - weight)], abs=1 / 60)
    assert sum(one["hours"] for one in result["targets"]) == pytest.approx(72, abs=0.001)


def test_the_same_scenario_in_another_order_gives_the_same_bytes() -> None:
    """Neither the order of clients nor of providers matters."""
    clients = [client(f"c{number}", preferred="41000002") for number in range(6)]
    one = allocate_scenario(scenario(*clients))
    other = allocate_scenario(scenario(*reversed(clients), providers=(LINGE, MERWEDE)))
    assert json.dumps(one) == json.dumps(other)


FAULTS = [
    (
        scenario(client("a", pc4="0999")),
        '/clients/0/pc4: found "0999", expected a PC4 from 1000 to 9999, as a string',
    ),
    (
        scenario(client("a", owed_hours=-3)),
        "/clients/0/owed_hours: found -3, expected a number of hours from 0 to 100000000",
    ),
    (
        scenario(client("a", owed_hours="24")),
        '/clients/0/owed_hours: found "24", expected a number of hours from 0 to 100000000',
    ),
    (
        scenario(client("a")).replace('"owed_hours": 24', '"owed_hours": 1e400'),
        "/clients/0/owed_hours: found 1E+400, expected a number of hours from 0 to 100000000",
    ),
    (
        scenario(client("a")).replace('"owed_hours": 24', '"owed_hours": 1e1000000'),
        "/clients/0/owed_hours: found 1E+1000000, expected a number of hours from 0 to 100000000",
    ),
    (
        scenario(client("a", requested_at="soon")),
        '/clients/0/requested_at: found "soon", expected a date or date-time by ISO 8601',
    ),
    (
        scenario(client("a", **{"a/b": 1})),
        "/clients/0/a~1b: found an unknown field, expected one of id, pc4, owed_hours, preferred, requested_at, uzovi,"
        " due_on",
    ),
    (
        scenario(providers=({key: value for key, value in LINGE.items() if key != "agb"},)),
        "/providers/0/agb: found nothing, expected an AGB code of 8 digits, as a string",
    ),
    (
        scenario(providers=(LINGE | {"contracts": ["12345"]},)),
        '/providers/0/contracts/0: found "12345", expected a UZOVI code of 4 digits, as a string',
    ),
    (
        scenario(client("a"), client("a")),
        '/clients/1/id: found "a", expected it once; /clients/0 has it too',
    ),
    (
        scenario(providers=(LINGE, LINGE)),
        '/providers/1/agb: found "41000002", expected it once; /providers/0 has it too',
    ),
    ("[]", "/: found [], expected an object with region, month, providers and clients"),
    (
        "{",
        "/: found no JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)), expected a"
        " scenario; see `hub allocate --help`",
    ),
]


@pytest.mark.parametrize(("content", "message"), FAULTS, ids=[message.split(":")[0] for _, message in FAULTS])
def test_a_fault_is_named_at_its_pointer(content: str, message: str) -> None:
    """What was found, what was expected, and where."""
    with pytest.raises(UsageError) as refusal:
        allocate_scenario(content)
    assert str(refusal.value) == message


def test_all_faults_are_named_at_once() -> None:
    """A person mends a file in one go; beyond twenty faults the rest is counted."""
    with pytest.raises(UsageError) as refusal:
        allocate_scenario(scenario(*(client(f"c{number}", pc4="1") for number in range(25))))
    lines = str(refusal.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "and 5 more"
