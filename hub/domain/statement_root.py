"""One root for all statements of a region and month, so that nobody can be told another story than the others.

Each provider's line is a leaf of a hash tree; beside it stands a leaf with the region's totals. Who gets a line gets
its proof too, and everybody gets the root. A line cannot be guessed from the hashes beside it: each leaf is blinded.
A fold has no secret, but it knows what no single reader does: the digests of every record of the region, encoded
identities included. The blinds are drawn from these.

SHA-256 throughout. leaf = H(0 ‖ blind ‖ text), node = H(1 ‖ left ‖ right), root = H(2 ‖ totals leaf ‖ top node).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"
_ROOT: Final = b"\x02"
LEFT: Final = "L"
RIGHT: Final = "R"


def canonical(values: Mapping[str, object]) -> bytes:
    """The text of a leaf: JSON with sorted keys and nothing that could be written in two ways.

    ValueError: a value that is neither text, whole number, truth, nothing, nor a list or mapping of these; say in the
    caller as what text it stands under the root.
    """
    _check_plain(values)
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _check_plain(value: object) -> None:
    match value:
        case None | bool() | int() | str():
            return
        case list() | tuple():
            for one in value:
                _check_plain(one)
        case Mapping():
            for key, one in value.items():
                _check_plain(one)
                if not isinstance(key, str):
                    raise ValueError(f"found {key!r} as a name in a leaf, expected text")
        case _:
            raise ValueError(
                f"found a {type(value).__name__} in a leaf, expected text or a whole number; write it as text first"
            )


def blind_seed(digests: Iterable[tuple[str, bytes]]) -> bytes:
    """What the blinds of a month are drawn from: each record of the region with the digest of its content, in order."""
    seed = sha256()
    for key, content in digests:
        seed.update(f"{len(key)}:{key}".encode())
        seed.update(content)
    return seed.digest()


def blind(seed: bytes, region: str, month: str, leaf: str) -> str:
    """The blind of one leaf, as hex; it tells nothing about another's."""
    return sha256(seed + f"|{region}|{month}|{leaf}".encode()).hexdigest()


def leaf_hash(blinded_by: str, text: bytes) -> str:
    """One leaf, as hex. ValueError: the blind is no hex."""
    return sha256(_LEAF + bytes.fromhex(blinded_by) + text).hexdigest()


class Tree:
    """The lines of one region and month, in the order of their hashes: a place in the tree tells nothing either."""

    def __init__(self, leaves: Sequence[str], totals_leaf: str) -> None:
        """At least one line."""
        self.totals_leaf = totals_leaf
        self.levels = [sorted(leaves)]
        while len(self.levels[-1]) > 1:
            below = self.levels[-1]
            pairs = [below[at : at + 2] for at in range(0, len(below), 2)]
            self.levels.append([_node(*pair) if len(pair) == 2 else pair[0] for pair in pairs])

    @property
    def root(self) -> str:
        """What everybody gets."""
        return _root(self.totals_leaf, self.levels[-1][0])

    def proof(self, leaf: str) -> tuple[str, ...]:
        """The hashes beside the way up, each with its side. ValueError: no such leaf."""
        place, steps = self.levels[0].index(leaf), []
        for level in self.levels[:-1]:
            beside = place ^ 1
            if beside < len(level):
                steps.append((LEFT if beside < place else RIGHT) + level[beside])
            place //= 2
        return tuple(steps)


def root_from(leaf: str, proof: Iterable[str], totals_leaf: str) -> str:
    """The root to which a leaf and its proof lead. ValueError: a step that is neither left nor right."""
    here = leaf
    for step in proof:
        side, beside = step[:1], step[1:]
        if side not in (LEFT, RIGHT):
            raise ValueError(f"found a step {step[:8]!r} in a proof, expected L or R before a hash")
        here = _node(beside, here) if side == LEFT else _node(here, beside)
    return _root(totals_leaf, here)


def _node(left: str, right: str) -> str:
    return sha256(_NODE + bytes.fromhex(left) + bytes.fromhex(right)).hexdigest()


def _root(totals_leaf: str, top: str) -> str:
    return sha256(_ROOT + bytes.fromhex(totals_leaf) + bytes.fromhex(top)).hexdigest()
