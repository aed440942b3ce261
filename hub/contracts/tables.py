"""The reference tables as a file: JSON that people can read and a diff can show; and what a next version may change.

Times are append times in milliseconds since 1970. Rows of one name stand in the order of their `valid_from_ms`.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec

from hub.contracts.catalogue import ADMIN, HUB_PRINCIPALS
from hub.domain.identifiers import NATIONAL, is_tenant_id
from hub.domain.reference import KeyEpochChange, PostcodeMove, Reference, Region, Tenant
from hub.errors import ContractError

LEAD_MS: Final = 60_000
"""How long before it takes force a row must be activated: every worker has read it by then, or has stopped."""

_NO_TENANT: Final = frozenset({*HUB_PRINCIPALS, ADMIN, "hub"})
"""A tenant's id is its Kafka user and the beginning of its groups; these are the hub's own."""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    log_partitions: int
    regions: tuple[Region, ...]
    postcodes: dict[str, tuple[str, ...]]
    tenants: tuple[Tenant, ...]
    key_epochs: tuple[int, ...] = (1,)
    urn: str = "urn:nld:oin:00000000000000000000:hub"
    postcode_moves: tuple[PostcodeMove, ...] = ()
    key_epoch_changes: tuple[KeyEpochChange, ...] = ()
    generation: int = 1


def parse(data: bytes) -> Reference:
    """Tables from their JSON. ContractError names the first row that contradicts another."""
    try:
        table = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise ContractError(f"tables: {problem}; mend the file, or start the release that wrote it") from problem
    pairs = sorted((pc4, region) for region, codes in table.postcodes.items() for pc4 in codes)
    reference = msgspec.convert(
        {
            "version": table.version,
            "log_partitions": table.log_partitions,
            "regions": msgspec.to_builtins(table.regions),
            "postcodes": pairs,
            "tenants": msgspec.to_builtins(table.tenants),
            "key_epochs": table.key_epochs,
            "urn": table.urn,
            "postcode_moves": msgspec.to_builtins(table.postcode_moves),
            "key_epoch_changes": msgspec.to_builtins(table.key_epoch_changes),
            "generation": table.generation,
        },
        Reference,
    )
    _check(reference)
    return reference


def render(reference: Reference) -> bytes:
    """The JSON of `parse`, with every row in the order of the tables."""
    postcodes: dict[str, list[str]] = {row.code: [] for row in reference.region.values()}
    for pc4, region in reference.postcodes:
        postcodes[region].append(pc4)
    table = {
        "version": reference.version,
        "log_partitions": reference.log_partitions,
        "regions": reference.regions,
        "postcodes": postcodes,
        "tenants": reference.tenants,
        "key_epochs": reference.key_epochs,
        "urn": reference.urn,
        "postcode_moves": reference.postcode_moves,
        "key_epoch_changes": reference.key_epoch_changes,
        "generation": reference.generation,
    }
    return msgspec.json.format(msgspec.json.encode(table), indent=1) + b"\n"


def load(path: Path) -> Reference:
    """Tables from a file. ContractError names it, and what is wrong."""
    try:
        return parse(path.read_bytes())
    except ContractError as problem:
        raise ContractError(f"{path}: {problem}") from problem


def _check(reference: Reference) -> None:
    if not 1 <= reference.log_partitions <= 4:
        raise ContractError(f"tables: found {reference.log_partitions} log partitions, expected 1 to 4")
    for tenant in reference.tenant:
        if not is_tenant_id(tenant) or tenant in _NO_TENANT:
            raise ContractError(
                f"tables: found tenant {tenant!r}, expected 2 to 31 lower-case letters, digits and dashes, and no name "
                "of the hub's own"
            )
    if NATIONAL in {row.code for row in reference.regions}:
        raise ContractError(f"tables: region {NATIONAL} has a row; it is no region and needs none")
    seen: dict[str, str] = {}
    for pc4, region in reference.postcodes:
        if region not in reference.region:
            raise ContractError(f"tables: postcode {pc4} names region {region}, which has no row")
        if pc4 in seen:
            raise ContractError(f"tables: postcode {pc4} lies in {seen[pc4]} and in {region}; leave one")
        seen[pc4] = region
    for row in reference.regions:
        if not 0 <= row.partition < reference.log_partitions:
            raise ContractError(f"tables: region {row.code} stands on partition {row.partition}, which does not exist")
    for kind, name, rows in _rows(reference):
        held: dict[Any, int] = {}
        for row in rows:
            key = getattr(row, name)
            if held.get(key, -1) >= row.valid_from_ms:
                raise ContractError(
                    f"tables: {kind} {key} has two rows that begin at {row.valid_from_ms}, or not in the order of "
                    "valid_from_ms; leave one, or put the later one last"
                )
            held[key] = row.valid_from_ms
    partitions: dict[str, int] = {}
    for region_row in reference.regions:
        if partitions.setdefault(region_row.code, region_row.partition) != region_row.partition:
            raise ContractError(f"tables: region {region_row.code} stands on two partitions; leave the first")
    for move in reference.postcode_moves:
        if not any(row.code == move.region and row.valid_from_ms <= move.valid_from_ms for row in reference.regions):
            raise ContractError(f"tables: postcode {move.pc4} moves to {move.region}, which has no row in force then")
    if reference.generation < 1:
        raise ContractError(f"tables: found generation {reference.generation}, expected 1 or more")


def succession_faults(old: Reference, new: Reference, activated_ms: int) -> list[str]:
    """What version `new`, activated at an append time, may not do after `old`. Each fault says what to do instead.

    Rows in force never change, and neither do those that come so soon that a worker might not know; a later row takes
    the place of an earlier one. Inside a generation a region keeps its partition.
    """
    return list(_faults(old, new, activated_ms + LEAD_MS))


def _faults(old: Reference, new: Reference, earliest_ms: int) -> Iterator[str]:
    if new.version <= old.version:
        yield f"version {new.version} is not above {old.version}, which is in force; raise it"
    if new.generation == old.generation:
        if new.log_partitions != old.log_partitions:
            yield (
                f"log_partitions goes from {old.log_partitions} to {new.log_partitions}; inside a generation it never "
                "changes: keep it, or open a new generation with hub generation open"
            )
        for code, row in old.region.items():
            if code in new.region and new.region[code].partition != row.partition:
                yield f"region {code} goes to another partition; keep it, or open a new generation"
        if new.urn != old.urn:
            yield f"urn changes from {old.urn}; it stands in every fact: keep it, or open a new generation"
    elif new.generation != old.generation + 1:
        yield f"generation goes from {old.generation} to {new.generation}; the next one is {old.generation + 1}"
    if dict(new.postcodes) != dict(old.postcodes):
        yield "postcodes hold from the start and never change; add a row to postcode_moves instead"
    if new.key_epochs != old.key_epochs:
        yield "key_epochs hold from the start and never change; add a row to key_epoch_changes instead"
    moved = new.generation != old.generation  # then a region may stand elsewhere
    for (kind, name, before), (_, _, after) in zip(_rows(old, moved), _rows(new, moved), strict=True):
        for gone in before:
            if gone not in after and gone.valid_from_ms < earliest_ms:
                yield (
                    f"{kind} {getattr(gone, name)}: its row from {gone.valid_from_ms} is in force or takes force too "
                    "soon to be changed; leave it, and add a row with a later valid_from_ms"
                )
        for come in after:
            if come not in before and come.valid_from_ms < earliest_ms:
                yield (
                    f"{kind} {getattr(come, name)}: a new row begins at {come.valid_from_ms}, expected {earliest_ms} "
                    "or later, so that every worker knows it by then; set a later valid_from_ms"
                )


def _rows(reference: Reference, moved: bool = False) -> tuple[tuple[str, str, tuple[Any, ...]], ...]:
    regions = tuple(replace(row, partition=0) for row in reference.regions) if moved else reference.regions
    return (
        ("region", "code", regions),
        ("tenant", "tenant", reference.tenants),
        ("postcode", "pc4", reference.postcode_moves),
        ("key epoch", "epoch", reference.key_epoch_changes),
    )
