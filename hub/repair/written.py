"""Events as people write and read them: JSON with the type's name and the fields of its schema.

`{"type": "CareEnded", "record_id": "end-1", "version": 1, …}`, one a line in a file, or a list of them. Dates are ISO,
bytes Base64. What cannot be an event is told by JSON pointer, with what was found and expected.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from hub.contracts.catalogue import INPUT_KINDS, INPUTS
from hub.contracts.codec import INPUT_BYTES_MAX, encode
from hub.contracts.validation import Refusal, check_input
from hub.domain.codes import SENTENCES
from hub.domain.identifiers import TenantId
from hub.domain.reference import Reference, Tenant
from hub.errors import UsageError

KINDS: Final = {kind.__name__: kind for kind in INPUT_KINDS}
FILE_BYTES_MAX: Final = 256 * 1024 * 1024
NEEDS_TABLES: Final = frozenset({"postcode_outside_regions", "unknown_region", "wrong_tenant", "unknown_epoch"})
"""What only the hub's tables can tell; the receipt will."""
_WHERE: Final = re.compile(r"^(?P<said>.*) - at `\$(?P<path>[^`]*)`$")


def read_file(path: Path) -> Iterator[Any]:
    """Every event of a file of JSON lines, or of a JSON list. UsageError names the line and the field."""
    if path.stat().st_size > FILE_BYTES_MAX:
        raise UsageError(f"{path} is larger than {FILE_BYTES_MAX // 1024 // 1024} MiB; split it")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8; save it as UTF-8 and try again") from None
    if text.lstrip().startswith("["):
        for number, one in enumerate(_loaded(text, f"{path}", "a list of events, or one event a line")):
            yield parse(one, f"{path} entry {number}")
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            where = f"{path} line {number}"
            yield parse(_loaded(line, where, "one event a line"), where)


def _loaded(text: str, where: str, expected: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise UsageError(f"{where}: found brackets in brackets without end; expected {expected}") from None
    except ValueError as problem:
        raise UsageError(f"{where}: found no JSON ({problem}); expected {expected}") from problem


def parse(written: Any, where: str) -> Any:
    """An event from what somebody wrote; `where` opens every message."""
    if not isinstance(written, dict) or not isinstance(written.get("type"), str):
        raise UsageError(f'{where}: found no "type", expected one of {", ".join(sorted(KINDS))}')
    kind = KINDS.get(written["type"].rsplit(".", 1)[-1])
    if kind is None:
        raise UsageError(f"{where}/type: found {written['type']!r}, expected one of {', '.join(sorted(KINDS))}")
    fields = {name: value for name, value in written.items() if name != "type"}
    names = [field.name for field in dataclasses.fields(kind)]
    for name in fields:
        if name not in names:
            raise UsageError(f"{where}/{name}: found a field that {kind.__name__} has not, expected {', '.join(names)}")
    try:
        event = msgspec.json.decode(json.dumps(fields), type=kind)
        encode(event)
    except msgspec.ValidationError as problem:
        raise UsageError(f"{where}{_told(str(problem))}") from problem
    except (msgspec.DecodeError, RecursionError):  # Python's reader takes NaN and half a character, JSON has neither
        raise UsageError(
            f"{where}: found a value that JSON has not, expected numbers, whole characters and dates"
        ) from None
    except OverflowError:
        raise UsageError(f"{where}: found a number that takes more than 64 bits, expected one that Avro has") from None
    return event


def write(event: Any) -> dict[str, Any]:
    """An event as `parse` reads it."""
    fields: dict[str, Any] = msgspec.to_builtins(event)
    return {"type": type(event).__name__, **{name: value for name, value in fields.items() if value is not None}}


def shorten(written: Any) -> Any:
    """The same for a screen: encodings by their size alone, since nobody reads them."""
    match written:
        case {"epoch": epoch, "blocks": [*blocks]}:
            return f"encoding of key epoch {epoch}, {len(blocks)} blocks"
        case dict():
            return {name: shorten(value) for name, value in written.items()}
        case [*values]:
            return [shorten(value) for value in values]
        case _:
            return written


def edited(written: dict[str, Any], changes: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """A copy with values set at JSON pointers. A value is JSON, or else text; `null` leaves an optional field out."""
    made: dict[str, Any] = json.loads(json.dumps(written))
    for pointer, text in changes:
        steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
        if not pointer.startswith("/") or not steps or not all(steps):
            raise UsageError(f"found {pointer!r}, expected a JSON pointer to a field, as in /pc4=3511")
        *parents, last = steps
        place: Any = made
        for step in parents:
            place = _into(place, step, pointer)
        value = _value(text, place[last] if isinstance(place, dict) and last in place else None)
        if isinstance(place, list):
            _into(place, last, pointer)
            place[int(last)] = value
        elif isinstance(place, dict):
            place[last] = value
        else:
            raise UsageError(f"{pointer}: found no object to set a field in")
    return made


def faults_here(event: Any, tenant: str) -> list[Refusal]:
    """What intake would refuse, as far as that can be known without the hub's tables; the first one is the one told.

    Asked before anything is sent, so that a slip costs no round trip.
    """
    if len(encode(event)) > INPUT_BYTES_MAX:
        return [Refusal("too_large", "")]
    writer = Tenant(TenantId(tenant), INPUTS[type(event)].writers[0])
    found = check_input(event, writer, _TABLES_UNKNOWN)
    return [] if found is None or found.code in NEEDS_TABLES else [found]


_TABLES_UNKNOWN: Final = Reference(version=0, log_partitions=1, regions=(), postcodes=(), tenants=())


def sentence(code: str, pointer: str = "") -> str:
    """Both languages of a code, with its field."""
    told = SENTENCES.get(code)
    at = f" ({pointer})" if pointer else ""
    return f"{code}{at}" if told is None else f"{code}{at}: {told.nl} / {told.en}"


def _into(place: Any, step: str, pointer: str) -> Any:
    try:
        return place[int(step)] if isinstance(place, list) else place[step]
    except (KeyError, IndexError, ValueError, TypeError) as problem:
        raise UsageError(f"{pointer}: found nothing at {step!r}, expected a field of the record") from problem


def _value(text: str, old: Any) -> Any:
    """`3511` for a field that holds text stays text; elsewhere it is a number."""
    if isinstance(old, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _told(said: str) -> str:
    found = _WHERE.match(said)
    if found is None:
        return f": {said[0].lower()}{said[1:]}"
    pointer = found["path"].replace("[", ".").replace("]", "").replace(".", "/")
    return f"{pointer}: {found['said'][0].lower()}{found['said'][1:]}"
