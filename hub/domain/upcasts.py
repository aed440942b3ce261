"""Older states in the shape of this release, one step a version: exact, and the same for everybody who takes it.

A fold whose log is whole is folded anew instead. Steps are for what no log holds any more: encodings expire, so the
match fold keeps its links and rows from its last snapshot, and a new generation begins with the state that the one
before left.
"""

from collections.abc import Callable, Mapping

Parts = dict[str, bytes]
Step = Callable[[Parts], Parts]
"""From the parts of one state version to those of the next."""


def upcast_parts(steps: Mapping[int, Step], found: int, wanted: int, parts: Parts) -> Parts:
    """Parts of state version `found` as those of `wanted`. ValueError where no step leads there."""
    for version in range(found, wanted):
        step = steps.get(version)
        if step is None:
            raise ValueError(f"found state version {found}, expected up to {wanted}: no step leads from {version} on")
        parts = step(parts)
    if found > wanted:
        raise ValueError(f"found state version {found}, this release knows up to {wanted}; start a newer release")
    return parts
