"""The quick constructor of frozen dataclasses: the same promises as the slow one."""

from dataclasses import MISSING, FrozenInstanceError, dataclass, fields, is_dataclass, replace
from inspect import signature

import pytest

from hub.domain import events, facts
from hub.domain.frozen import quick, unfrozen

KINDS = [
    kind
    for module in (events, facts)
    for kind in vars(module).values()
    if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == module.__name__
]


def test_what_follows_from_an_event_is_made_quickly() -> None:
    """Every event and fact, without a list that could be forgotten."""
    assert KINDS
    assert all(kind.__init__.__globals__.get("_frozen") is kind for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_constructor_takes_what_dataclass_would_have_taken(kind: type) -> None:
    """The same names in the same order, with the same defaults."""

    def told(made: type) -> list[tuple[str, object, object]]:
        return [(p.name, p.kind, p.default) for p in signature(made).parameters.values()]

    given = {name: vars(kind)[name] for name in ("__annotations__", "__module__")}
    given |= {field.name: field.default for field in fields(kind) if field.default is not MISSING}
    again: type = dataclass(frozen=True, slots=True, kw_only=True)(type(kind.__name__, (), given))
    assert told(kind) == told(again)


def test_it_is_frozen_hashed_compared_and_replaced_as_before() -> None:
    """Nobody sees that it was open for a moment."""

    @dataclass(frozen=True, slots=True)
    class Point:
        x: int
        y: int = 2

    slow = Point(1)
    quick(Point)
    assert Point(1) == slow == Point(x=1, y=2) == replace(Point(3), x=1)
    assert hash(Point(1)) == hash(slow)
    assert type(Point(1)) is Point
    assert repr(Point(1)) == repr(slow)
    with pytest.raises(FrozenInstanceError):
        Point(1).x = 3  # type: ignore[misc]  # what must not work
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        Point()  # type: ignore[call-arg]  # what must not work


def test_a_twin_takes_the_class_of_what_it_stands_for() -> None:
    """The compiled codec sets fields first and freezes last."""

    @dataclass(frozen=True, slots=True)
    class Point:
        x: int

    made = unfrozen(Point)()
    made.x = 1
    made.__class__ = Point
    assert made == Point(1)
