"""Who holds the key: an interface, and the file key of the demo.

A block value becomes 64 pseudorandom bytes through a custodian. The first 8 are the block's token; the last 32 salt
its filters. Whoever lacks the key can compute neither, so whoever holds only tokens cannot try out guesses.
"""

import hmac
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from hub.edge.errors import KeyFileError, UnknownEpoch

ANSWER_BYTES: Final = 64
"""Of one evaluation: 8 for the token, 24 unused, 32 for the salt."""
PURPOSE: Final = b"kraamzorg-hub/duplicates/v1"
_KEY_BYTES: Final = 32


class KeyCustody(Protocol):
    """Turns block values into pseudorandom answers under a key epoch."""

    def epochs(self) -> tuple[int, ...]:
        """The epochs it can evaluate, oldest first; the last is the one for new records."""
        ...

    def evaluate(self, epoch: int, inputs: Sequence[bytes]) -> list[bytes]:
        """ANSWER_BYTES for each input, in order. Raises UnknownEpoch."""
        ...


@dataclass(frozen=True, slots=True)
class FileKey:
    """Keys in a file, for the demo, for tests and for evaluation.

    Every holder can compute every token, so a leaked file allows a dictionary attack; `oprf.CustodianClient` is for
    the field (docs/privacy.md).
    """

    keys: tuple[tuple[int, bytes], ...]

    @classmethod
    def generate(cls, epoch: int = 1) -> "FileKey":
        """A fresh random key under one epoch."""
        return cls(((epoch, secrets.token_bytes(_KEY_BYTES)),))

    @classmethod
    def derived(cls, passphrase: str, epoch: int = 1) -> "FileKey":
        """A key that follows from a text, for seeded demos and reproducible measurements; never for real people."""
        return cls(((epoch, hmac.digest(b"kraamzorg-hub/demo", passphrase.encode(), "sha256")),))

    @classmethod
    def from_file(cls, path: Path | str) -> "FileKey":
        """Read a key file. Raises KeyFileError with what was found, what was expected and what to do."""
        try:
            raw = json.loads(Path(path).read_text(encoding="utf-8"))
            rows = tuple(sorted((int(epoch), bytes.fromhex(key)) for epoch, key in raw["epochs"].items()))
        except FileNotFoundError:
            raise KeyFileError(f"no key file at {path}: make one with FileKey.generate().save(path)") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise KeyFileError(f'{path} is no key file: expected {{"epochs": {{"1": "<64 hex digits>"}}}}') from None
        for epoch, key in rows:
            if len(key) != _KEY_BYTES or len(set(key)) < 8:
                raise KeyFileError(
                    f"epoch {epoch} in {path} has a weak key: expected 32 random bytes; generate a new one"
                )
        if not rows:
            raise KeyFileError(f"{path} holds no epoch: generate a new key file")
        return cls(rows)

    def save(self, path: Path | str) -> None:
        """Write the file, readable by its owner alone. Refuses to overwrite: a lost key cannot be recovered."""
        body = json.dumps({"epochs": {str(epoch): key.hex() for epoch, key in self.keys}}, indent=1) + "\n"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(body)

    def with_next_epoch(self) -> "FileKey":
        """The same keys and a fresh one for the next epoch: the overlap in which records are encoded under both."""
        return FileKey((*self.keys, (self.keys[-1][0] + 1, secrets.token_bytes(_KEY_BYTES))))

    def without_epoch(self, epoch: int) -> "FileKey":
        """The keys left once an epoch is shredded."""
        return FileKey(tuple(row for row in self.keys if row[0] != epoch))

    def epochs(self) -> tuple[int, ...]:
        """The epochs held, oldest first."""
        return tuple(epoch for epoch, _ in self.keys)

    def evaluate(self, epoch: int, inputs: Sequence[bytes]) -> list[bytes]:
        """HMAC-SHA-512 under a key bound to the purpose. Raises UnknownEpoch."""
        for held, key in self.keys:
            if held == epoch:
                purpose_key = hmac.digest(key, PURPOSE, "sha512")
                return [hmac.digest(purpose_key, value, "sha512") for value in inputs]
        raise UnknownEpoch(f"epoch {epoch} is not held, expected one of {self.epochs()}: fetch the current key file")
