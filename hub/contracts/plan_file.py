"""A region plan as people write it: a YAML file in, a `RegionPlan` out, or everything that is wrong with it.

A plan decides about care, so nothing is guessed: an unknown or repeated name is a fault and not ignored, `3311` without
quotes is a number and no UZOVI code, and YAML's own surprises (anchors, tags, several documents) are refused. All
faults are told at once, each with a JSON pointer, what was found and what was expected.
"""

from dataclasses import MISSING, fields, is_dataclass
from datetime import date
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import yaml

from hub.domain.region_plan import Fault, RegionPlan, plan_faults

PLAN_BYTES_MAX = 64 * 1024
"""A plan is a page or two; more is no plan."""


class PlanFaulty(ValueError):
    """The text is no sound plan; `faults` says all that is wrong."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__("\n".join(str(fault) for fault in faults))


class _PlainLoader(yaml.SafeLoader):
    """YAML without anchors, tags and repeated names."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="an alias (*name)", problem_mark=self._here())
        if getattr(self.peek_event(), "tag", None) is not None:  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="a tag (!name)", problem_mark=self._here())
        return super().compose_node(parent, index)

    def _here(self) -> Any:
        return self.peek_event().start_mark  # type: ignore[no-untyped-call]

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        for n, name in enumerate(names):
            if name in names[:n]:
                raise yaml.MarkedYAMLError(problem=f"{name!r} twice", problem_mark=node.value[n][0].start_mark)
        return super().construct_mapping(node, deep)


def read_plan(text: str) -> RegionPlan:
    """The plan that a YAML text holds. PlanFaulty: what is wrong, all of it."""
    if len(text.encode()) > PLAN_BYTES_MAX:
        raise PlanFaulty((Fault("", f"{len(text.encode())} bytes", f"at most {PLAN_BYTES_MAX}"),))
    try:
        raw = yaml.load(text, Loader=_PlainLoader)  # noqa: S506  a SafeLoader underneath
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = "" if mark is None else f" in line {mark.line + 1}, column {mark.column + 1}"
        raise PlanFaulty((Fault("", f"{error.problem or 'unreadable text'}{where}", "plain YAML"),)) from None
    except RecursionError:
        raise PlanFaulty((Fault("", "a text nested beyond measure", "plain YAML"),)) from None
    except (yaml.YAMLError, ValueError) as error:
        raise PlanFaulty((Fault("", str(error), "plain YAML"),)) from None
    faults = tuple(_faults_of_shape(raw, RegionPlan, ""))
    if faults:
        raise PlanFaulty(faults)
    plan = msgspec.convert(raw, RegionPlan)
    faults = plan_faults(plan)
    if faults:
        raise PlanFaulty(faults)
    return plan


def write_plan(plan: RegionPlan) -> str:
    """The plan as YAML that `read_plan` reads back to an equal plan."""
    return yaml.safe_dump(msgspec.to_builtins(plan, builtin_types=(date,)), sort_keys=False, allow_unicode=True)


_PLAIN: dict[type, str] = {int: "a whole number", str: "text (put digits in quotes)", date: "a day as YYYY-MM-DD"}


def _faults_of_shape(raw: object, kind: Any, pointer: str) -> Any:
    """Every place where the text does not have the shape of a plan."""
    origin = get_origin(kind)
    if hasattr(kind, "__supertype__"):
        yield from _faults_of_shape(raw, kind.__supertype__, pointer)
    elif origin in (Union, UnionType):
        if raw is not None:
            inner = next(part for part in get_args(kind) if part is not NoneType)
            yield from _faults_of_shape(raw, inner, pointer)
    elif origin is tuple:
        if not isinstance(raw, list):
            yield Fault(pointer, _shown(raw), "a list")
            return
        for n, item in enumerate(raw):
            yield from _faults_of_shape(item, get_args(kind)[0], f"{pointer}/{n}")
    elif is_dataclass(kind):
        yield from _faults_of_record(raw, kind, pointer)
    elif isinstance(kind, type) and issubclass(kind, Enum):
        words = [member.value for member in kind]
        if raw not in words:
            yield Fault(pointer, _shown(raw), " or ".join(str(word) for word in words))
    elif kind is bool:
        if not isinstance(raw, bool):
            yield Fault(pointer, _shown(raw), "true or false")
    elif type(raw) is not kind:
        yield Fault(pointer, _shown(raw), _PLAIN[kind])


def _faults_of_record(raw: object, kind: Any, pointer: str) -> Any:
    if not isinstance(raw, dict):
        yield Fault(pointer, _shown(raw), "names with values")
        return
    known = {field.name: field for field in fields(kind)}
    for name in raw:
        if name not in known:
            yield Fault(f"{pointer}/{name}", "an unknown name", f"one of {', '.join(known)}")
    hints = get_type_hints(kind)
    for name, field in known.items():
        if name in raw:
            yield from _faults_of_shape(raw[name], hints[name], f"{pointer}/{name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            yield Fault(f"{pointer}/{name}", "nothing", "a value: it has no default")


def _shown(raw: object) -> str:
    """A found value, short enough for a message."""
    text = repr(raw) if not isinstance(raw, (date, int)) else str(raw)
    return text if len(text) <= 60 else f"{text[:57]}…"
