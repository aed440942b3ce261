"""The key held by an independent custodian: blinded evaluation, so that no provider holds the key and the custodian
sees no value.

The protocol is 2HashDH (Jarecki, Kiayias and Krawczyk) on P-256, with points named by their x-coordinate alone: the
provider hashes a block value to a point P, sends x(r·P) for a fresh random r, gets x(k·r·P), takes r away and hashes
x(k·P) with the value. x-coordinates suffice because x(k·P) = x(k·(−P)). All point arithmetic is OpenSSL's ECDH by way
of the `cryptography` package; what is proven, and what is only tested, stands in docs/privacy.md.

Every question carries, at a random place, one blinded value whose answer the custodian published when the epoch began:
a custodian that uses another key (to mark a provider's records, say) is found out, since it cannot tell which it is.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from hub.edge.errors import CustodianRefused, KeyFileError, UnknownEpoch
from hub.edge.keys import PURPOSE

POINT_BYTES: Final = 32
EVALUATIONS_MAX_PER_DAY: Final = 20_000
"""Block values one provider may have evaluated a day: some 1,500 records. PROPOSAL."""
QUESTION_MAX: Final = 4_096
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SCALAR_MIN: Final = 1 << 200
"""A random number is smaller once in 2⁵⁵ times: whoever hands one over that is did not draw it."""
_CURVE: Final = ec.SECP256R1()
_CHECK: Final = b"epoch check"


@dataclass(frozen=True, slots=True)
class EpochCheck:
    """What a custodian publishes when an epoch begins: its number and the answer to a value that everybody knows."""

    epoch: int
    answer: bytes


class Custodian:
    """The custodian's side. Holds a scalar per epoch, counts what each provider asks, sees only blinded points.

    KeyFileError on a scalar that nobody drew at random.
    """

    def __init__(self, scalars: Mapping[int, int], evaluations_max_per_day: int = EVALUATIONS_MAX_PER_DAY) -> None:
        for epoch, scalar in scalars.items():
            if not SCALAR_MIN <= scalar < _ORDER:
                raise KeyFileError(
                    f"the secret of epoch {epoch} is no random number of 255 bits, and could be guessed; make one with "
                    'python -c "import secrets; print(secrets.randbits(255))"'
                )
        self._scalars = dict(scalars)
        self._limit = evaluations_max_per_day
        self._asked: dict[tuple[str, int], int] = {}

    @classmethod
    def generate(cls, epoch: int = 1, evaluations_max_per_day: int = EVALUATIONS_MAX_PER_DAY) -> "Custodian":
        """With a fresh key for one epoch."""
        return cls({epoch: _scalar()}, evaluations_max_per_day)

    def start_epoch(self) -> EpochCheck:
        """A fresh key beside the old: the overlap in which providers encode under both."""
        epoch = max(self._scalars, default=0) + 1
        self._scalars[epoch] = _scalar()
        return self._check(epoch)

    def shred_epoch(self, epoch: int) -> None:
        """Forget a key: nobody can make a token of that epoch again, and so nobody can test a guess against one."""
        self._scalars.pop(epoch, None)

    def checks(self) -> tuple[EpochCheck, ...]:
        """The epochs that can be evaluated, oldest first."""
        return tuple(self._check(epoch) for epoch in sorted(self._scalars))

    def evaluate(self, provider: str, day: int, epoch: int, blinded: Sequence[bytes]) -> list[bytes]:
        """x(k·B) for each blinded x. Raises UnknownEpoch; CustodianRefused where a limit or a point does not hold."""
        if epoch not in self._scalars:
            raise UnknownEpoch(f"epoch {epoch} is not held, expected one of {sorted(self._scalars)}")
        if len(blinded) > QUESTION_MAX:
            raise CustodianRefused(
                f"{len(blinded)} values in one question, expected at most {QUESTION_MAX}: ask in parts"
            )
        spent = self._asked.get((provider, day), 0) + len(blinded)
        if spent > self._limit:
            raise CustodianRefused(
                f"{spent} values today, expected at most {self._limit}: ask the custodian for a migration window"
            )
        self._asked = {key: count for key, count in self._asked.items() if key[1] >= day - 1}
        self._asked[provider, day] = spent
        return [_times(self._scalars[epoch], point) for point in blinded]

    def _check(self, epoch: int) -> EpochCheck:
        point = _hash_to_point(_CHECK)
        return EpochCheck(epoch, _finish(_CHECK, _times(self._scalars[epoch], point)))


Ask = Callable[[int, Sequence[bytes]], Sequence[bytes]]
"""How a question reaches the custodian: (epoch, blinded points) → answers."""


class CustodianClient:
    """The provider's side: a KeyCustody without a key."""

    def __init__(self, ask: Ask, checks: Sequence[EpochCheck]) -> None:
        """`checks` come from where the epochs are announced, not from the answering service itself."""
        self._ask = ask
        self._checks = {check.epoch: check.answer for check in checks}

    def epochs(self) -> tuple[int, ...]:
        """The announced epochs, oldest first."""
        return tuple(sorted(self._checks))

    def evaluate(self, epoch: int, inputs: Sequence[bytes]) -> list[bytes]:
        """64 bytes for each input. Raises UnknownEpoch, CustodianRefused."""
        if epoch not in self._checks:
            raise UnknownEpoch(f"epoch {epoch} was not announced, expected one of {self.epochs()}")
        answers: list[bytes] = []
        for start in range(0, len(inputs), QUESTION_MAX - 1):
            answers += self._evaluate(epoch, inputs[start : start + QUESTION_MAX - 1])
        return answers

    def _evaluate(self, epoch: int, inputs: Sequence[bytes]) -> list[bytes]:
        place = secrets.randbelow(len(inputs) + 1)
        values = [*inputs[:place], _CHECK, *inputs[place:]]
        blinds = [_scalar() for _ in values]
        blinded = [_times(blind, _hash_to_point(value)) for blind, value in zip(blinds, values, strict=True)]
        raw = self._ask(epoch, blinded)
        if len(raw) != len(values):
            raise CustodianRefused(f"{len(raw)} answers, expected {len(values)}: do not use this custodian")
        answers = [
            _finish(value, _times(pow(blind, -1, _ORDER), point))
            for value, blind, point in zip(values, blinds, raw, strict=True)
        ]
        if not hmac.compare_digest(answers.pop(place), self._checks[epoch]):
            raise CustodianRefused(
                f"the answer to the check of epoch {epoch} differs: the custodian used another key; send nothing"
            )
        return answers


def _scalar() -> int:
    return secrets.randbelow(_ORDER - 1) + 1


def _hash_to_point(value: bytes) -> bytes:
    """The x of a curve point, by trying: SHA-256 of the value and a counter until some point has that x."""
    for counter in range(256):
        x = hashlib.sha256(PURPOSE + b"|point|" + bytes([counter]) + value).digest()
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, b"\x02" + x)
        except ValueError:
            continue
        return x
    raise AssertionError("no point in 256 tries: the odds are one in 2 to the power of 256")


def _times(scalar: int, x: bytes) -> bytes:
    """x(scalar · P) for the point of this x. Raises CustodianRefused when no point has it."""
    try:
        point = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, b"\x02" + x)
    except ValueError:
        raise CustodianRefused(
            "found bytes that name no point of P-256, expected 32 bytes of an x-coordinate"
        ) from None
    return ec.derive_private_key(scalar, _CURVE).exchange(ec.ECDH(), point)


def _finish(value: bytes, x: bytes) -> bytes:
    return hashlib.sha512(PURPOSE + b"|answer|" + len(value).to_bytes(4, "big") + value + x).digest()


def question_bytes(blinded: Sequence[bytes]) -> bytes:
    """A question or an answer as JSON, for a transport."""
    return json.dumps({"points": [point.hex() for point in blinded]}).encode()


def points_of(body: bytes) -> list[bytes]:
    """The inverse of `question_bytes`. Raises CustodianRefused on anything else."""
    try:
        points = [bytes.fromhex(point) for point in json.loads(body)["points"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CustodianRefused('found another body, expected {"points": ["<64 hex digits>", …]}') from None
    if any(len(point) != POINT_BYTES for point in points):
        raise CustodianRefused(f"found a point of another length, expected {POINT_BYTES} bytes each")
    return points
