"""From a person to an `Identity`: which conjunctions make a block, and how the filters beside them are drawn.

The filters of one block are drawn from a stream that only its salt determines, so the same name gives other bits in
every block: nothing global is left to count.
"""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from hub.domain.identity import (
    BLOCKS_MAX,
    FIELDS,
    FILTER_BYTES,
    IDENTITY_BYTES_MAX,
    TOKEN_BYTES,
    WIDE_FIELDS,
    WIDE_FILTER_BYTES,
    Block,
    FieldKind,
    Identity,
)
from hub.edge import normalise as n
from hub.edge.keys import KeyCustody
from hub.edge.person import PersonFields

BLOCKS_SENT_MAX: Final = min(BLOCKS_MAX, IDENTITY_BYTES_MAX // (TOKEN_BYTES + max(FILTER_BYTES, WIDE_FILTER_BYTES)))
"""As many whole blocks as the size of an identity allows; the weakest conjunctions go first."""

_LETTERS: Final = {c: i for i, c in enumerate("abcdefghijklmnopqrstuvwxyz0123456789 ")}
_PAIRS: Final = len(_LETTERS) ** 2
_STREAM_BYTES: Final = 2 * _PAIRS
_SALT: Final = slice(32, 64)


@dataclass(frozen=True, slots=True)
class Facts:
    """A person's normalised facts; empty text where nothing is known."""

    given: str
    """The first given name in full, or empty when only an initial is known."""
    initial: str
    initial_written: bool
    second_initial: str
    surnames: tuple[str, ...]
    year: str
    month: str
    day: str
    sex: str
    national_id: str
    phone: str
    email_local: str
    email_domain: str
    postcode: str
    house_number: str
    street: str
    city: str
    insurer_number: str
    birth_place: str
    other: str

    @property
    def accounts(self) -> int:
        """How many of the facts name a person by themselves."""
        return sum(map(bool, (self.national_id, self.phone, self.email_local, self.insurer_number)))


def facts_of(person: PersonFields) -> Facts:
    """Normalise every field once."""
    given = n.given_parts(person.given_names)
    letters = [c for c in n.fold(person.initials) if "a" <= c <= "z"]
    full = next((name for name in given if len(name) > 1), "")
    written = bool(letters) or bool(given and len(given[0]) == 1)
    letters = letters or [name[0] for name in given]
    initial, second = [*letters, "", ""][:2]
    surnames = list(n.surname_parts(f"{person.surname_prefix} {person.surname}"))
    surnames += [
        name for name in n.surname_parts(f"{person.partner_prefix} {person.partner_surname}") if name not in surnames
    ]
    year, month, day = n.birth_date(person.birth_date)
    local, domain = n.email(person.email)
    code = n.postcode(person.postcode)
    number = n.house_number(person.house_number)
    implied = n.is_dutch_postcode(code) and number != ""
    return Facts(
        given=full,
        initial=initial,
        initial_written=written,
        second_initial=second,
        surnames=tuple(surnames[:3]),
        year=year,
        month=month,
        day=day,
        sex=n.fold(person.sex)[:1],
        national_id=n.bsn(person.bsn) or n.number(person.national_id),
        phone=n.phone(person.phone),
        email_local=local,
        email_domain=domain,
        postcode=code,
        house_number=number,
        street="" if implied else n.street(person.street),
        city="" if implied else n.text(person.city),
        insurer_number=n.number(person.insurer_number),
        birth_place=n.text(person.birth_place),
        other=n.text(person.other),
    )


def block_values(facts: Facts) -> list[tuple[int, str]]:
    """(pass, value) of each block, strongest first and without repeats. Every value is a conjunction or an account."""
    return list(dict.fromkeys(_block_values(facts)))[:BLOCKS_SENT_MAX]


def _block_values(f: Facts) -> Iterator[tuple[int, str]]:
    if f.national_id:
        yield 1, f.national_id
    if f.phone:
        yield 2, f.phone
    if f.email_local:
        yield 3, f"{f.email_local}@{f.email_domain}"
    if f.insurer_number:
        yield 4, f.insurer_number
    given = n.sound(n.root_of(f.given))
    family = [n.sound(name) for name in f.surnames]
    names = list(dict.fromkeys(code for code in (*family, given) if code))
    whole = bool(f.year and f.month and f.day)
    low, high = sorted((f.month, f.day))
    born = f"{f.year}{low}{high}"
    code_area = n.area(f.postcode)
    if whole:
        for name in names:
            yield 5, f"{born}|{name}"
        if code_area:
            yield 6, f"{born}|{code_area}"
    if f.postcode and f.house_number:
        yield 7, f"{f.postcode}|{f.house_number}"
    if f.postcode:
        for name in names:
            yield 11, f"{name}|{f.postcode}"
    pairs = ["|".join(sorted((given, name))) for name in family] if given else []
    if f.year and f.month:
        for pair in pairs:
            yield 8, f"{pair}|{f.year}|{f.month}"
    if f.accounts and f.postcode and f.house_number and n.is_dutch_postcode(f.postcode):
        return
    yield from _more_values(f, names, pairs, born)


def _more_values(f: Facts, names: Sequence[str], pairs: Sequence[str], born: str) -> Iterator[tuple[int, str]]:
    """For a record without accounts or a full address: more ways to meet, since each way fails more often."""
    low_high = born[4:]
    whole = len(born) == 8
    for pair in pairs:
        if f.year and f.day:
            yield 9, f"{pair}|{f.year}|{f.day}"
        if whole:
            yield 10, f"{pair}|{low_high}"
    if f.street and f.house_number:
        for name in names:
            yield 14, f"{n.sound(f.street)}|{f.house_number}|{name}"
    if f.street and f.postcode:
        yield 18, f"{n.sound(f.street)}|{f.postcode}"
    town, place = n.sound(f.city), n.sound(f.birth_place)
    if f.email_local and any(c.isdigit() for c in f.email_local):
        yield 20, f.email_local
    elif f.email_local:  # as common as the name it is made of
        for part in filter(None, (f.year, town)):
            yield 20, f"{f.email_local}|{part}"
    if whole and town:
        yield 21, f"{born}|{town}"
    if f.street and town:
        yield 23, f"{n.sound(f.street)}|{town}"
    if whole:
        for name in dict.fromkeys((*f.surnames, *((f.given,) if f.given else ()))):
            yield 12, f"{born}|{name[:3]}"
            yield 13, f"{born}|{name[-3:]}"
    initials = [(n.sound(name), f.initial) for name in f.surnames if f.initial]
    if f.given:
        initials += [(n.sound(n.root_of(f.given)), name[0]) for name in f.surnames]
    for name, initial in initials:
        if town:
            yield 22, f"{name}|{initial}|{town}"
        if place:
            yield 24, f"{name}|{initial}|{place}"
        if f.year and f.month:
            yield 15, f"{name}|{initial}|{f.year}|{f.month}"
        if whole:
            yield 16, f"{name}|{initial}|{low_high}"
        if f.year and f.day:
            yield 17, f"{name}|{initial}|{f.year}|{f.day}"


class EdgeEncoder:
    """Encodes persons under one key epoch. Holds no person after a call."""

    def __init__(self, key: KeyCustody, epoch: int | None = None) -> None:
        """Without an epoch: the custodian's newest."""
        self._key = key
        self.epoch = key.epochs()[-1] if epoch is None else epoch

    def encode(self, person: PersonFields) -> Identity:
        """One person. Without enough facts for a block the identity is empty, thus not comparable."""
        return self.encode_many((person,))[0]

    def encode_many(self, persons: Sequence[PersonFields]) -> list[Identity]:
        """Several persons with one question to the custodian, in order."""
        prepared = [(facts, block_values(facts)) for facts in map(facts_of, persons)]
        answers = iter(
            self._key.evaluate(
                self.epoch,
                [f"{pass_number}|{value}".encode() for _, values in prepared for pass_number, value in values],
            )
        )
        identities = []
        for facts, values in prepared:
            recipe, size = _recipe(facts)
            blocks = []
            for pass_number, _ in values:
                answer = next(answers)
                blocks.append(Block(pass_number, answer[:TOKEN_BYTES], _draw(recipe, answer[_SALT], size)))
            identities.append(Identity(self.epoch, tuple(blocks)))
        return identities


def pseudonym(provider_secret: bytes, local_id: str) -> str:
    """An opaque record id for a local one, under a secret of the provider's own that nobody else holds."""
    return "r" + hmac.digest(provider_secret, b"record|" + local_id.encode(), "sha256")[:15].hex()


_Recipe = tuple[tuple[int, FieldKind, tuple[int, ...], int], ...]
"""Per present field: its bit offset from the right of the filter, its kind, places in the stream, its width in bits."""


def _pairs(word: str, field: int) -> list[int]:
    padded = f" {word} "
    return [2 * ((_LETTERS.get(a, 36) * 37 + _LETTERS.get(b, 36) + field * 131) % _PAIRS) for a, b in pairwise(padded)]


def _place(value: str, field: int) -> int:
    """A place in the stream for a whole value; which one is no secret, what stands there is."""
    return int.from_bytes(hashlib.blake2b(f"{field}|{value}".encode(), digest_size=4).digest(), "big") % _STREAM_BYTES


def _recipe(f: Facts) -> tuple[_Recipe, int]:
    """How the filters of a person are drawn, and their width (bytes): wide without an account."""
    steps: list[tuple[int, FieldKind, tuple[int, ...], int]] = []
    values: dict[str, tuple[str, ...]] = {
        "given_name": (f.given,),
        "surname": f.surnames,
        "birth_date": (f.year, f.month, f.day),
        "postcode": (f.postcode,),
        "house_number": (f.house_number,),
        "street": (f.street,),
        "city": (f.city,),
        "phone": (f.phone,),
        "email": (f.email_local,),
        "national_id": (f.national_id,),
        "insurer_number": (f.insurer_number,),
        "initial": (f.initial,),
        "second_initial": (f.second_initial,),
        "sex": (f.sex,),
        "birth_place": (f.birth_place,),
        "other": (f.other,),
    }
    layout, size = (FIELDS, FILTER_BYTES) if f.accounts else (WIDE_FIELDS, WIDE_FILTER_BYTES)
    for field in layout:
        value, index = values[field.name], field.index
        if not any(value):
            continue
        bits = 8 * field.width_bytes
        shift = 8 * (size - field.offset_bytes - field.width_bytes)
        if field.kind in (FieldKind.NAME, FieldKind.NAMES):
            root = n.sound(n.root_of(value[0]) if field.kind is FieldKind.NAME else value[0])
            steps.append((shift + bits - 8, FieldKind.EXACT, (_place(root, 0),), 8))
            places: list[int] = [place for word in value for place in _pairs(word, 0)]
            half = 8 * FIELDS[index].width_bytes
            if bits > half:
                bits -= half
                steps.append((shift, field.kind, tuple(_STREAM_BYTES + place for place in dict.fromkeys(places)), bits))
                shift, bits = shift + bits, half
            bits -= 8
        elif field.kind is FieldKind.TEXT:
            places = [place for word in value for place in _pairs(word, index)]
        elif field.kind is FieldKind.DATE:
            year, month, day = value
            places = [
                _place("decade" + year[:3], index) if year else -1,
                _place("year" + year[3:], index) if year else -1,
                _place("part" + month, index) if month else -1,
                _place("part" + day, index) if day else -1,
            ]
        elif field.kind is FieldKind.DIGITS:
            places = [_place(f"{i}{c}", index) for i, c in enumerate(reversed(value[0][-8:]))]
        elif field.kind is FieldKind.CODE:
            places = [_place(f"{i}{c}", index) for i, c in enumerate(value[0][:8])]
        elif field.kind is FieldKind.INITIAL:
            places = [_place(value[0], index), int(f.initial_written)]
        else:
            places = [_place(value[0], index)]
        steps.append((shift, field.kind, tuple(dict.fromkeys(places)) if field.kind in _BLOOM else tuple(places), bits))
    return tuple(steps), size


_BLOOM: Final = frozenset({FieldKind.NAME, FieldKind.NAMES, FieldKind.TEXT})


def _draw(recipe: _Recipe, salt: bytes, size: int) -> bytes:
    stream = hashlib.shake_128(salt).digest(_STREAM_BYTES if size == FILTER_BYTES else 2 * _STREAM_BYTES)
    drawn = 0
    for shift, kind, places, bits in recipe:
        part = 0
        if kind in _BLOOM:
            for place in places:
                part |= 1 << (stream[place] * bits >> 8)
            if kind is not FieldKind.TEXT:
                for place in places:
                    part |= 1 << (stream[place + 1] * bits >> 8)
        elif kind is FieldKind.EXACT:
            part = 1 + stream[places[0]] % 255
        elif kind is FieldKind.INITIAL:
            part = 1 + stream[places[0]] % 127 | places[1] << 7
        elif kind is FieldKind.DATE:
            for place in places:
                part = part << 8 | (0 if place < 0 else 1 + stream[place] % 255)
        else:
            for position, place in enumerate(places):
                part |= (1 + stream[place] % 15) << 4 * position
        drawn |= part << shift
    return drawn.to_bytes(size, "big")
