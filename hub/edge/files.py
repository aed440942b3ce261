"""A CSV of persons in, a CSV of encodings out: what a package can do without writing code."""

import csv
from pathlib import Path

from hub.domain.identity import Block, Identity
from hub.edge.columns import read_table
from hub.edge.encoder import EdgeEncoder
from hub.edge.keys import FileKey

_CHUNK = 1_000


def encode_file(file: Path | str, key_file: Path | str, out: Path | str, epoch: int | None = None) -> int:
    """Encode every person of a CSV; returns how many. Raises KeyFileError, UnknownColumns, UnknownEpoch.

    `out` has the columns record_id, epoch and blocks: `<pass>:<token in hex>:<filters in hex>`, apart by spaces; no
    blocks means too few facts to compare. No name, number or date is written.
    """
    encoder = EdgeEncoder(FileKey.from_file(key_file), epoch)
    table = read_table(file)
    with Path(out).open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["record_id", "epoch", "blocks"])
        for start in range(0, len(table.persons), _CHUNK):
            identities = encoder.encode_many(table.persons[start : start + _CHUNK])
            for record_id, identity in zip(table.record_ids[start : start + _CHUNK], identities, strict=True):
                writer.writerow([record_id, identity.epoch, blocks_text(identity)])
    return len(table.persons)


def blocks_text(identity: Identity) -> str:
    """The blocks of an identity as `encode_file` writes them."""
    return " ".join(f"{block.pass_number}:{block.token.hex()}:{block.filters.hex()}" for block in identity.blocks)


def identity_of(epoch: int, blocks: str) -> Identity:
    """The inverse of `blocks_text`. ValueError on anything else."""
    rows = [row.split(":") for row in blocks.split()]
    return Identity(
        epoch,
        tuple(Block(int(number), bytes.fromhex(token), bytes.fromhex(filters)) for number, token, filters in rows),
    )
