"""A run can be repeated: the seed decides every fault and every byte that is sent."""

from collections import Counter
from itertools import islice

from hub.contracts import catalogue, codec
from hub.local.simulator import national
from tests.rig.__main__ import p99, parse
from tests.rig.load import KINDS as MIX
from tests.rig.load import Generator, Ledger
from tests.rig.nemesis import KINDS, REREAD, schedule

WORKERS = ("intake-1", "intake-2", "region-1", "region-2")
NATION = national.build(5, 300, 12)


def test_the_same_seed_gives_the_same_schedule_and_another_seed_another() -> None:
    """Printed or not, it is decided before the first input."""
    one, same, other = (schedule(seed, 20_000, 5, 1, KINDS, WORKERS) for seed in (1, 1, 2))
    assert one == same and one != other


def test_every_kind_strikes_once_and_the_kills_as_often_as_asked() -> None:
    """Kills are counted apart, so that none is hidden in "all"."""
    plans = schedule(3, 20_000, 5, 2, KINDS, WORKERS)
    struck = Counter(plan.kind for plan in plans)
    assert struck == {**dict.fromkeys(KINDS, 1), "worker_kill": 5, "broker_kill": 2}
    assert [plan.at for plan in plans] == sorted(plan.at for plan in plans) and plans[-1].at < 20_000


def test_what_makes_everything_be_read_again_comes_first() -> None:
    """While the logs are short."""
    plans = schedule(4, 20_000, 5, 2, KINDS, WORKERS)
    assert {plan.kind for plan in plans[: len(REREAD)]} == set(REREAD)


def test_workers_are_hurt_in_turn() -> None:
    """Twelve faults on four workers: three each."""
    plans = schedule(6, 1_000, 12, 0, (), WORKERS)
    assert set(Counter(plan.worker for plan in plans).values()) == {3}


def test_the_same_seed_sends_the_same_bytes() -> None:
    """Two generators of one seed agree to the last byte; another seed does not."""
    one, same, other = (list(islice(Generator(NATION, seed).bulk(3_000), 3_000)) for seed in (1, 1, 2))
    assert one == same and one != other


def test_the_bulk_holds_every_kind_that_its_table_names_and_can_be_read() -> None:
    """All but what is meant to be refused decodes as an input; ids and versions are where they belong."""
    kinds: Counter[str] = Counter()
    for made in Generator(NATION, 7).bulk(4_000):
        try:
            event = codec.decode_input(made.value, catalogue.INPUT_KINDS)
        except codec.Unreadable:
            kinds["unreadable"] += 1
            continue
        assert event.record_id.encode() == made.key and event.version >= 1
        kinds[type(event).__name__] += 1
    assert 0 < kinds.pop("unreadable") < 4_000 * MIX["refused"] // sum(MIX.values())
    assert set(kinds) == {
        "RegistrationSubmitted",
        "CareDelivered",
        "CareEnded",
        "CapacityDeclared",
        "FullDeclared",
        "WaitingClientListed",
    }


def test_repeats_and_shuffled_versions_are_what_they_say() -> None:
    """A repeat was sent before; of a shuffled record all three versions come, not in order."""
    generator = Generator(NATION, 8)
    sent = set(generator.bulk(500))
    assert set(generator.repeats(100)) <= sent
    shuffled = generator.shuffled(90)
    versions = [(made.key, codec.decode(made.value).version) for made in shuffled]
    assert len(set(versions)) == 90 and versions != sorted(versions)


def test_the_ledger_knows_what_waits_for_a_receipt() -> None:
    """A receipt may come before the broker's word; a second one is a repeat and answers nothing."""
    ledger = Ledger()
    ledger.answer("inbox.a", 0)
    ledger.acknowledge("inbox.a", 0, b"x")
    ledger.acknowledge("inbox.a", 1, b"y")
    assert (ledger.open, ledger.answered, ledger.first_open()) == (1, 1, ["inbox.a/1"])
    ledger.answer("inbox.a", 0)
    ledger.answer("inbox.a", 1)
    assert (ledger.open, ledger.answered, ledger.repeated) == (0, 2, 1)


def test_the_figure_is_the_nearest_rank() -> None:
    """Of few kills it is the worst one."""
    assert p99([]) is None
    assert p99([3.04, 9.96, 1.0]) == 10.0
    assert p99([1.0] * 199 + [50.0]) == 1.0


def test_an_unknown_fault_is_refused_by_name() -> None:
    """And `none` means none."""
    assert parse(["--faults", "none"]).kinds == ()
    assert parse(["--faults", "zombie,redis_slow"]).kinds == ("zombie", "redis_slow")
