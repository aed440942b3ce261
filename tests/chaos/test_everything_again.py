"""What was said once can be said again, by anybody who holds the log: nothing new follows, and the state is the same.

One nation publishes; then groups, snapshots and Redis are lost one after the other, a rule raises and is mended, and
snapshots of another state version stand on the topic. After each the oracle is asked and all topics are checked.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from hub.contracts import catalogue
from hub.local.dump import dump_redis
from hub.local.simulator import national
from tests.rig.__main__ import _audit, at_rest
from tests.rig.checkers import Findings, Row, check_lag, check_oracle, check_topics, read_topics
from tests.rig.load import Load
from tests.rig.nemesis import Chaos, Planned, delete_topics, offsets_deleted, redis_flushed, snapshots_deleted
from tests.rig.stand import ROOT, Stand

pytestmark = [pytest.mark.chaos, pytest.mark.kafka]
SEED, CLIENTS, DAYS, INPUTS = 11, 200, 14, 2_500
NOBODY = Planned(at=0, kind="", worker="", node=1, region=0, nth=0)
STOPS_S = 60.0


class Quiet(Chaos):
    """Faults while nobody publishes, so that before and after can be compared."""

    def burst(self, count: int = 0) -> None:
        """Nobody does."""

    def meanwhile(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Time passes."""
        give_up_at = time.monotonic() + seconds
        while not until() and time.monotonic() < give_up_at:
            time.sleep(0.05)
        return until()


@dataclass
class World:
    """A hub that has lived through something."""

    stand: Stand
    load: Load
    chaos: Chaos

    def settle(self) -> None:
        """Until nobody has anything left to do."""
        self.load.settle()
        at_rest(self.stand, self.load)

    def facts(self) -> dict[str, int]:
        """What readers that honour positions and sequences see; the checks of all topics hold, or this fails."""
        reference = self.stand.reference
        logs = [(catalogue.REGION_LOG, number) for number in range(reference.log_partitions)]
        ends = {number: end for (_, number), end in self.stand.ends(logs).items()}
        topics = [topic.name for topic in catalogue.topics_for(reference)]
        read = partial(read_topics, self.stand.login(catalogue.AUDITOR))
        findings = check_topics(read, topics, self.load.ledger.inputs(), ends)
        check_lag(self.stand.behind(), self.load.ledger.open, findings)
        assert findings.sound, (findings.lost[:5], findings.twice[:5], findings.wrong)
        seen = findings.counted
        return {
            "inputs": seen["inputs"],
            "facts": seen["facts"] - seen["facts_repeated"],
            "delivered": seen["delivered"] - seen["delivered_again"],
        }

    def hashes(self) -> dict[tuple[str, int], str]:
        """The hash over the state of each partition of each fold, as its last snapshot says."""
        found: dict[tuple[str, int], str] = {}
        rows = read_topics(self.stand.login(catalogue.AUDITOR), [catalogue.REGION_SNAPSHOTS, catalogue.MATCH_SNAPSHOTS])
        for row in rows:
            if row.key.endswith("/marker") and not row.key.startswith("0/"):
                found[row.topic, row.partition] = json.loads(row.value)["hash"]
        return found

    def oracle(self, name: str) -> str:
        """What an auditor's own machine says."""
        findings = Findings()
        verdict = check_oracle(_audit(self.stand, self.stand.folder / name), findings)
        assert findings.sound, findings.wrong
        return verdict

    def read_model(self, name: str) -> dict[str, object]:
        """Every key of Redis but the live stream, whose ids are times, and the positions."""
        path = self.stand.folder / f"{name}.jsonl"
        dump_redis(path, self.stand.redis_url(ROOT))
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        return {row["key"]: row["value"] for row in rows if row["key"] not in ("live", "hub:positions")}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """One node, one worker of each kind, and a nation that has published."""
    nation = national.build(SEED, CLIENTS, DAYS)
    with Stand(nation.reference, nodes=1, copies=1) as stand, Load(stand, nation, SEED) as load:
        load.found()
        load.bulk(load.generator.bulk(INPUTS))
        load.send(load.generator.day())
        yield World(stand, load, Quiet(stand, load))


def test_a_replay_by_new_groups_with_live_sinks_has_no_new_effect_and_the_same_hash(world: World) -> None:
    """Groups and snapshots are gone and Redis is empty, so everything is read again while all topics are live."""
    world.settle()
    before, hashes, shown = world.facts(), world.hashes(), world.read_model("before")
    world.stand.redis().flushall()
    snapshots_deleted(world.chaos, NOBODY)
    offsets_deleted(world.chaos, NOBODY)
    world.settle()
    assert world.facts() == before
    assert world.hashes() == hashes
    assert world.read_model("after") == shown
    assert world.oracle("replayed") == "equal"


def test_redis_is_built_anew_from_the_facts(world: World) -> None:
    """Also in a quiet hour, when no fact comes that would show the loss."""
    world.settle()
    shown = world.read_model("kept")
    assert shown["hub:counts"] and shown["hub:days"]
    redis_flushed(world.chaos, NOBODY)
    world.settle()
    assert world.read_model("rebuilt") == shown


def test_lost_snapshots_are_made_anew_from_the_log(world: World) -> None:
    """The fold starts at the first record, publishes nothing that is known, and comes to the same state."""
    world.settle()
    before, hashes = world.facts(), world.hashes()
    snapshots_deleted(world.chaos, NOBODY)
    world.settle()
    assert world.facts() == before
    assert world.hashes() == hashes


def test_snapshots_of_another_state_version_are_refolded_to_the_same_bytes(world: World) -> None:
    """The other release leaves its snapshots on the topic; ours reads the log instead, and goes on from there."""
    world.settle()
    hashes = world.hashes()
    world.stand.remove("region-1")
    delete_topics(world.chaos, [catalogue.REGION_SNAPSHOTS])
    world.stand.provision()
    world.stand.add("region-1", "tests.rig.other_release", RIG_STATE_VERSION="0")
    _wait_for_marker(world, "0/marker")
    _exchange_region_worker(world)
    _wait_for_marker(world, "1/marker")
    world.settle()
    assert world.hashes() == hashes
    assert world.oracle("refolded") == "equal"


def test_a_rule_that_raises_stops_one_region_and_after_the_fix_nothing_is_lost(world: World) -> None:
    """The others go on; what came for the stopped region meanwhile has its receipt after the fix, in order."""
    world.settle()
    region = world.stand.reference.regions[0].code
    fatal = world.load.generator.registration(region)
    _exchange_region_worker(world, program="tests.rig.other_release", RIG_RAISES=f"{region}/{fatal.key.decode()}")
    world.load.send(fatal)
    world.load.bulk(world.load.generator.bulk(300))
    world.load.wait(lambda: _stopped(world) == [region], STOPS_S, "no region stopped")
    world.load.wait(lambda: 0 < world.load.lag < 250, STOPS_S, "the other regions did not go on")
    assert _stopped(world) == [region]
    _exchange_region_worker(world)
    world.settle()
    world.facts()
    assert _stopped(world) == []
    assert world.oracle("mended") == "equal"


def _exchange_region_worker(world: World, program: str | None = None, **environment: str) -> None:
    world.stand.remove("region-1")
    world.stand.add("region-1", program, **environment)


def _stopped(world: World) -> list[str]:
    told = world.stand.health("region-1")
    return [code for check in told["checks"].values() for code in check["stopped"]] if told else []


def _wait_for_marker(world: World, key: str) -> None:
    """Until every partition holds a snapshot of that state version."""
    count = world.stand.reference.log_partitions

    def there() -> bool:
        return len({row.partition for row in _snapshots(world) if row.key == key}) == count

    world.load.wait(there, STOPS_S, f"no snapshot {key}")


def _snapshots(world: World) -> Iterator[Row]:
    return read_topics(world.stand.login(catalogue.AUDITOR), [catalogue.REGION_SNAPSHOTS])
