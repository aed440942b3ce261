"""The reference tables as a file: JSON that people can read and a diff can show."""

from pathlib import Path

import msgspec

from hub.domain.reference import Reference, Region, Tenant
from hub.errors import ContractError


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    log_partitions: int
    regions: tuple[Region, ...]
    postcodes: dict[str, tuple[str, ...]]
    tenants: tuple[Tenant, ...]
    key_epochs: tuple[int, ...] = (1,)
    urn: str = "urn:nld:oin:00000000000000000000:hub"


def parse(data: bytes) -> Reference:
    """Tables from their JSON. ContractError names the first row that contradicts another."""
    try:
        table = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise ContractError(f"tables: {problem}") from problem
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
        },
        Reference,
    )
    _check(reference)
    return reference


def render(reference: Reference) -> bytes:
    """The JSON of `parse`, with every row in the order of the tables."""
    postcodes: dict[str, list[str]] = {row.code: [] for row in reference.regions}
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
    }
    return msgspec.json.format(msgspec.json.encode(table), indent=1) + b"\n"


def load(path: Path) -> Reference:
    """Tables from a file."""
    return parse(path.read_bytes())


def _check(reference: Reference) -> None:
    if not 1 <= reference.log_partitions <= 4:
        raise ContractError(f"tables: found {reference.log_partitions} log partitions, expected 1 to 4")
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
    if len(reference.tenant) != len(reference.tenants):
        raise ContractError("tables: a tenant has two rows; leave one")
