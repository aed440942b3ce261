"""A broker in this process: what Kafka promises to the two machines, and no more than that.

Partitions with offsets that have gaps, append times, idempotent and transactional producers with epochs and fencing,
readers that see committed records only, compaction, and consumer groups with generations, sessions and rebalances.
It is a plain object without input or output: every call takes effect at once. How long a request takes, and whether its
answer arrives, is the business of clients.py. That this behaves as the real Kafka does, where the hub relies on it, is
shown by test_broker_conformance.py, which runs the same steps against both.
"""

import asyncio
import bisect
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    InvalidTxnState,
    ProducerFenced,
    UnknownTopicOrPartitionError,
)

from hub.contracts.catalogue import Topic

EPOCH_MS = 1_772_323_200_000
"""Virtual time 0 as milliseconds since 1970."""
TRANSACTION_TIMEOUT_S = 30.0
Headers = Sequence[tuple[str, bytes]]


@dataclass(slots=True)
class Entry:
    """One record or transaction marker of a partition. `appended` counts over the whole broker: who came first."""

    record: ConsumerRecord
    transaction: int | None
    control: bool
    appended: int


class PartitionLog:
    """One partition: records by offset, open transactions, aborted ones."""

    def __init__(self, source: TopicPartition, topic: Topic) -> None:
        self.source = source
        self.topic = topic
        self.start = 0
        self.end = 0
        self.entries: list[Entry] = []
        self._offsets: list[int] = []
        self._open: dict[int, int] = {}
        self._aborted: set[int] = set()

    @property
    def stable_end(self) -> int:
        """Where a reader of committed records stops: the first record of a transaction that is still open."""
        return min(self._open.values(), default=self.end)

    def append(self, record: ConsumerRecord, transaction: int | None, control: bool, appended: int) -> None:
        """Put one record at the end."""
        if transaction is not None and not control:
            self._open.setdefault(transaction, self.end)
        self.entries.append(Entry(record, transaction, control, appended))
        self._offsets.append(self.end)
        self.end += 1

    def close(self, transaction: int, committed: bool) -> None:
        """The transaction's marker: its records become visible, or never will."""
        self._open.pop(transaction, None)
        if not committed:
            self._aborted.add(transaction)

    def read(self, position: int, count: int, committed: bool) -> tuple[list[ConsumerRecord], int]:
        """Up to `count` records from `position`, and the position after what was looked at."""
        bound = self.stable_end if committed else self.end
        found: list[ConsumerRecord] = []
        at = max(position, self.start)
        for index in range(bisect.bisect_left(self._offsets, at), len(self.entries)):
            entry = self.entries[index]
            if entry.record.offset >= bound:
                break
            if len(found) == count:
                return found, at
            at = entry.record.offset + 1
            if not self._hidden(entry, committed):
                found.append(entry.record)
        return found, at if found and len(found) == count else max(at, bound)

    def visible(self, position: int) -> bool:
        """Whether a reader of committed records would still find one."""
        return bool(self.read(position, 1, committed=True)[0])

    def committed(self) -> list[Entry]:
        """Every record that a reader of committed records sees."""
        bound = self.stable_end
        return [e for e in self.entries if e.record.offset < bound and not self._hidden(e, committed=True)]

    def compact(self) -> None:
        """Keep the newest record of each key; a tombstone stays, as it does for a day on a real broker."""
        bound = self.stable_end
        newest = {e.record.key: e.record.offset for e in self.committed()}
        self._keep(
            e
            for e in self.entries
            if e.record.offset >= bound
            or (not self._hidden(e, committed=True) and newest[e.record.key] == e.record.offset)
        )

    def delete_all(self) -> None:
        """Delete every record; offsets go on from where they were."""
        bound = self.stable_end
        self._keep(e for e in self.entries if e.record.offset >= bound)
        self.start = bound

    def _hidden(self, entry: Entry, committed: bool) -> bool:
        return entry.control or (committed and entry.transaction in self._aborted)

    def _keep(self, entries: Iterable[Entry]) -> None:
        self.entries = list(entries)
        self._offsets = [e.record.offset for e in self.entries]


@dataclass(slots=True)
class _Transactional:
    """One transactional id: the epoch that may write, and what its open transaction has touched."""

    epoch: int = 0
    serial: int | None = None
    touched: list[TopicPartition] = field(default_factory=list)
    offsets: list[tuple[str, dict[TopicPartition, int]]] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class _Member:
    topics: tuple[str, ...]
    session_s: float
    rebalance_s: float
    seen_s: float
    instance: str | None = None
    waiting: "asyncio.Future[tuple[int, list[TopicPartition]]] | None" = None
    share: list[TopicPartition] = field(default_factory=list)


@dataclass(slots=True)
class _Group:
    generation: int = 0
    rebalancing: bool = False
    members: dict[str, _Member] = field(default_factory=dict)
    committed: dict[TopicPartition, int] = field(default_factory=dict)
    deadline: asyncio.TimerHandle | None = None
    sweep: asyncio.TimerHandle | None = None


class UnknownMember(Exception):
    """The group has given this member up; it must join anew under another name."""


class Rebalancing(Exception):
    """The group is being divided anew; the member must join again."""


class Broker:
    """Topics, transactional ids and groups. Needs a running loop, whose time is its time."""

    def __init__(self, topics: Iterable[Topic]) -> None:
        self.topics = {topic.name: topic for topic in topics}
        self.logs: dict[TopicPartition, PartitionLog] = {
            TopicPartition(topic.name, number): PartitionLog(TopicPartition(topic.name, number), topic)
            for topic in self.topics.values()
            for number in range(topic.partitions)
        }
        self._loop = asyncio.get_running_loop()
        self._appended = itertools.count()
        self._serials = itertools.count()
        self._member_ids = itertools.count()
        self._transactional: dict[str, _Transactional] = {}
        self.groups: dict[str, _Group] = {}
        self._waiters: dict[int, tuple[frozenset[TopicPartition], asyncio.Future[None]]] = {}
        self._waiter_ids = itertools.count()

    def now_ms(self) -> int:
        """Virtual time as milliseconds since 1970."""
        return EPOCH_MS + round(self._loop.time() * 1000)

    # Logs

    def log(self, source: TopicPartition) -> PartitionLog:
        """One partition; UnknownTopicOrPartitionError."""
        found = self.logs.get(source)
        if found is None:
            raise UnknownTopicOrPartitionError
        return found

    def append(
        self,
        target: TopicPartition,
        records: Sequence[tuple[bytes | None, bytes | None, Headers, int | None]],
        serial: int | None = None,
    ) -> int:
        """Append a batch of (key, value, headers, timestamp); the offset of its first record."""
        log = self.log(target)
        base, now = log.end, self.now_ms()
        for key, value, headers, timestamp in records:
            at = now if log.topic.append_time or timestamp is None else timestamp
            log.append(_record(target, log.end, at, key, value, tuple(headers)), serial, False, next(self._appended))
        self._wake(target)
        return base

    def wait_for_records(self, sources: Iterable[TopicPartition]) -> "asyncio.Future[None]":
        """A future that is set when one of the partitions grows or a transaction on it ends."""
        future: asyncio.Future[None] = self._loop.create_future()
        number = next(self._waiter_ids)
        self._waiters[number] = (frozenset(sources), future)
        future.add_done_callback(lambda _: self._waiters.pop(number, None))
        return future

    def _wake(self, target: TopicPartition) -> None:
        for sources, future in list(self._waiters.values()):
            if target in sources and not future.done():
                future.set_result(None)

    # Transactions

    def init_transactions(self, transactional_id: str) -> int:
        """A new epoch for the id: whoever wrote under it before is fenced, and what hung is aborted."""
        held = self._transactional.setdefault(transactional_id, _Transactional(epoch=-1))
        self._end(held, committed=False)
        held.epoch += 1
        return held.epoch

    def begin(self, transactional_id: str, epoch: int) -> int:
        """The serial of the transaction that is open now."""
        held = self._fenced(transactional_id, epoch)
        if held.serial is None:
            held.serial = next(self._serials)
            held.timer = self._loop.call_later(TRANSACTION_TIMEOUT_S, self._expire, held, held.serial)
        return held.serial

    def append_in_transaction(
        self,
        transactional_id: str,
        epoch: int,
        target: TopicPartition,
        records: Sequence[tuple[bytes | None, bytes | None, Headers, int | None]],
    ) -> int:
        """Append to the open transaction, opening it if need be. ProducerFenced for an older epoch."""
        serial = self.begin(transactional_id, epoch)
        held = self._transactional[transactional_id]
        if target not in held.touched:
            held.touched.append(target)
        return self.append(target, records, serial)

    def add_offsets(self, transactional_id: str, epoch: int, group: str, offsets: dict[TopicPartition, int]) -> None:
        """Source offsets that count when the transaction commits. The group's members are not asked."""
        self.begin(transactional_id, epoch)
        self._transactional[transactional_id].offsets.append((group, offsets))

    def end_transaction(self, transactional_id: str, epoch: int, *, committed: bool) -> None:
        """Commit or abort. InvalidTxnState when there is nothing to commit because it expired."""
        held = self._fenced(transactional_id, epoch)
        if held.serial is None and committed and held.touched:
            raise InvalidTxnState
        self._end(held, committed)

    def _fenced(self, transactional_id: str, epoch: int) -> _Transactional:
        held = self._transactional[transactional_id]
        if epoch != held.epoch:
            raise ProducerFenced
        return held

    def _expire(self, held: _Transactional, serial: int) -> None:
        if held.serial == serial:
            held.epoch += 1
            self._end(held, committed=False)

    def _end(self, held: _Transactional, committed: bool) -> None:
        serial, touched, offsets = held.serial, held.touched, held.offsets
        held.serial, held.touched, held.offsets = None, [], []
        if held.timer is not None:
            held.timer.cancel()
            held.timer = None
        if serial is None:
            return
        for target in touched:
            log = self.logs[target]
            log.close(serial, committed)
            log.append(_record(target, log.end, self.now_ms(), b"", b"", ()), serial, True, next(self._appended))
        if committed:
            for group, held_offsets in offsets:
                self.group(group).committed.update(held_offsets)
        for target in touched:
            self._wake(target)

    # Groups

    def group(self, name: str) -> _Group:
        """A group by name; made when first asked for."""
        return self.groups.setdefault(name, _Group())

    def join(
        self,
        name: str,
        member_id: str | None,
        topics: Sequence[str],
        session_s: float,
        rebalance_s: float,
        instance: str | None = None,
    ) -> tuple[str, "asyncio.Future[tuple[int, list[TopicPartition]]]"]:
        """Ask for a share; the member's id, and a future of its generation and partitions.

        A member that the group knows by its `instance` takes the place of its former self, share and all, at once.
        """
        group = self.group(name)
        former = self._former(group, instance) if member_id not in group.members else None
        if member_id is None or member_id not in group.members:
            member_id = f"member-{next(self._member_ids):06d}"
            group.members[member_id] = _Member(tuple(topics), session_s, rebalance_s, self._loop.time(), instance)
        member = group.members[member_id]
        member.seen_s = self._loop.time()
        waiting: asyncio.Future[tuple[int, list[TopicPartition]]] = self._loop.create_future()
        if former is not None and not group.rebalancing:
            member.share = former.share
            waiting.set_result((group.generation, member.share))
            return member_id, waiting
        member.waiting = waiting
        self._rebalance(name)
        self._arm(name)
        self._complete(name, only_if_all=True)
        return member_id, waiting

    def _former(self, group: _Group, instance: str | None) -> _Member | None:
        """Take the member of that name out of the group."""
        for key, member in group.members.items():
            if instance is not None and member.instance == instance:
                return group.members.pop(key)
        return None

    def heartbeat(self, name: str, member_id: str, generation: int) -> None:
        """A sign of life. UnknownMember or Rebalancing when the member must join again."""
        group = self.group(name)
        member = group.members.get(member_id)
        if member is None or generation != group.generation:
            raise UnknownMember
        member.seen_s = self._loop.time()
        if group.rebalancing:
            raise Rebalancing

    def leave(self, name: str, member_id: str) -> None:
        """Give up the share at once."""
        if self.group(name).members.pop(member_id, None) is not None:
            self._rebalance(name)
            self._complete(name, only_if_all=True)

    def commit(self, name: str, member_id: str | None, generation: int, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit for a member of the present generation. Whether it owns the partitions is not asked."""
        group = self.group(name)
        if member_id not in group.members or generation != group.generation:
            raise CommitFailedError
        group.members[member_id].seen_s = self._loop.time()
        group.committed.update(offsets)

    def disturb(self, name: str) -> None:
        """Divide the group anew without a reason."""
        self._rebalance(name)

    def _rebalance(self, name: str) -> None:
        group = self.group(name)
        if group.rebalancing:
            return
        group.rebalancing = True
        longest = max((m.rebalance_s for m in group.members.values()), default=0.0)
        group.deadline = self._loop.call_later(longest, self._complete, name, False)

    def _complete(self, name: str, only_if_all: bool) -> None:
        """Divide: every partition to one of those who asked, round robin. Who did not ask in time is out."""
        group = self.group(name)
        late = [key for key, member in group.members.items() if member.waiting is None]
        if not group.rebalancing or (only_if_all and late):
            return
        for key in late:
            del group.members[key]
        if group.deadline is not None:
            group.deadline.cancel()
        group.rebalancing, group.deadline = False, None
        group.generation += 1
        shares = self._divide(group)
        for key, member in group.members.items():
            waiting, member.waiting, member.share = member.waiting, None, shares[key]
            member.seen_s = self._loop.time()
            if waiting is not None and not waiting.done():
                waiting.set_result((group.generation, shares[key]))
        self._arm(name)

    def _divide(self, group: _Group) -> dict[str, list[TopicPartition]]:
        shares: dict[str, list[TopicPartition]] = {key: [] for key in group.members}
        turn = 0
        keys = sorted(shares)
        for source in sorted(self.logs):
            takers = [key for key in keys if source.topic in group.members[key].topics]
            if takers:
                shares[takers[turn % len(takers)]].append(source)
                turn += 1
        return shares

    def _arm(self, name: str) -> None:
        group = self.group(name)
        if group.sweep is None and group.members:
            first = min(m.seen_s + m.session_s for m in group.members.values())
            group.sweep = self._loop.call_at(max(first, self._loop.time() + 0.01), self._sweep, name)

    def _sweep(self, name: str) -> None:
        group = self.group(name)
        group.sweep = None
        now = self._loop.time()
        silent = [key for key, m in group.members.items() if m.waiting is None and now - m.seen_s >= m.session_s - 1e-6]
        for key in silent:
            del group.members[key]
        if silent:
            self._rebalance(name)
            self._complete(name, only_if_all=True)
        elif any(m.waiting is not None for m in group.members.values()):
            for member in group.members.values():
                if member.waiting is not None:
                    member.seen_s = now  # a member that waits for its share is not silent
        self._arm(name)


def _record(
    source: TopicPartition, offset: int, timestamp: int, key: bytes | None, value: bytes | None, headers: Headers
) -> ConsumerRecord:
    return ConsumerRecord(
        topic=source.topic,
        partition=source.partition,
        offset=offset,
        timestamp=timestamp,
        timestamp_type=0,
        key=key,
        value=value,
        checksum=None,
        serialized_key_size=len(key or b""),
        serialized_value_size=len(value or b""),
        headers=headers,
    )


Effect = Callable[[], object]
