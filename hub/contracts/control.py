"""The control topic: which version of the tables is in force, and whether a generation is being closed.

Three kinds of records, the newest of each key kept. `tables/<version>`: the tables. `activation/<version>`: from its
append time on that version is in force; it names the version before it and the tables' digest. `closing/<generation>`:
inboxes are left alone until the next generation opens. Every worker reads all of it before it starts and looks again
before it takes a record that was appended later than what it knows holds for (hub/streams/tables_watch.py).
"""

import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from hub.contracts import tables
from hub.domain.reference import Reference
from hub.errors import ContractError, WorldUnavailable

TABLES: Final = "tables"
ACTIVATION: Final = "activation"
CLOSING: Final = "closing"


class ControlRecord(NamedTuple):
    """One record of the control topic."""

    key: str
    value: bytes | None
    appended_ms: int


class Activation(msgspec.Struct, frozen=True):
    """Value of `activation/<version>`. `after`: the version that was in force, None for the first."""

    sha256: str
    after: int | None = None


class InForce(NamedTuple):
    """What the control topic says now. `closing`: the generation takes no new inputs."""

    reference: Reference
    activated_ms: int
    closing: bool


def tables_record(reference: Reference) -> tuple[str, bytes]:
    """Key and value that carry a version of the tables."""
    return f"{TABLES}/{reference.version}", tables.render(reference)


def activation_record(reference: Reference, after: int | None) -> tuple[str, bytes]:
    """Key and value that put a version in force."""
    digest = hashlib.sha256(tables.render(reference)).hexdigest()
    return f"{ACTIVATION}/{reference.version}", msgspec.json.encode(Activation(digest, after))


def closing_key(generation: int) -> str:
    """Key of the record that closes a generation."""
    return f"{CLOSING}/{generation}"


def read(records: Iterable[ControlRecord]) -> InForce:
    """What is in force. WorldUnavailable when nothing is; ContractError when what is named is not there or not sound.

    Sound: the bytes are those that were activated, this release can read them, and no row changed that was in force.
    """
    newest: dict[str, dict[int, ControlRecord]] = {TABLES: {}, ACTIVATION: {}, CLOSING: {}}
    for record in records:
        kind, _, number = record.key.partition("/")
        if kind in newest and number.isdigit():
            if record.value is None:
                newest[kind].pop(int(number), None)
            else:
                newest[kind][int(number)] = record
    if not newest[ACTIVATION]:
        raise WorldUnavailable("topic control names no tables in force. Run hub topics apply with a tables file.")
    version = max(newest[ACTIVATION])
    activated = newest[ACTIVATION][version]
    named = msgspec.json.decode(activated.value or b"", type=Activation)
    reference = _tables(newest[TABLES], version, named.sha256)
    if named.after is not None:
        before = newest[ACTIVATION].get(named.after)
        digest = msgspec.json.decode(before.value or b"", type=Activation).sha256 if before else None
        faults = tables.succession_faults(
            _tables(newest[TABLES], named.after, digest), reference, activated.appended_ms
        )  # fmt: skip
        if faults:
            raise ContractError(
                f"tables version {version} may not follow version {named.after}: {'; '.join(faults)}. "
                "No worker starts with it: apply a version above it that is sound."
            )
    return InForce(reference, activated.appended_ms, reference.generation in newest[CLOSING])


def _tables(held: dict[int, ControlRecord], version: int, digest: str | None) -> Reference:
    record = held.get(version)
    if record is None or record.value is None:
        raise ContractError(f"tables version {version} is named on topic control and not there; apply it again")
    if digest is not None and hashlib.sha256(record.value).hexdigest() != digest:
        raise ContractError(f"tables version {version} has other bytes than were activated; apply a version above it")
    return tables.parse(record.value)
