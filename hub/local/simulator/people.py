"""Persons that do not exist, as a provider's administration holds them. One never leaves here but through the edge."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from hub.domain.identifiers import Pc4
from hub.edge import PersonFields
from hub.local.dutch_people import DutchPeople, DutchPerson, DutchRecord

_MAIL: Final = "mail.example"


@dataclass(frozen=True, slots=True)
class Person:
    """One person as one administration knows her. `mark` is a text that must exist nowhere beyond the edge."""

    who: DutchPerson
    written: DutchRecord
    mark: str

    @property
    def name(self) -> str:
        """As it is said: given names, prefix, surname."""
        return " ".join(part for part in (self.who.given_names, self.who.surname_prefix, self.who.surname) if part)

    @property
    def bsn(self) -> str:
        """Nine digits."""
        return self.who.bsn

    @property
    def phone(self) -> str:
        """Ten digits, from 06."""
        return self.who.phone

    def fields(self) -> PersonFields:
        """What the administration hands to the edge."""
        w = self.written
        return PersonFields(
            given_names=w.given_names,
            initials=w.initials,
            surname=w.surname,
            birth_date=w.birth_date,
            sex="v",
            bsn=w.bsn,
            phone=w.phone,
            email=w.email,
            postcode=w.postcode,
            house_number=w.house_number,
            street=w.street,
            city=w.city,
            insurer_number=w.insurer_number,
        )

    def told(self) -> Mapping[str, str]:
        """For truth.jsonl, which alone may hold a person."""
        return {
            "name": self.name,
            "bsn": self.who.bsn,
            "birth_date": self.who.birth_date,
            "phone": self.who.phone,
            "email": self.who.email,
            "street": f"{self.who.street} {self.who.house_number}",
        }


class Population:
    """Draws persons, one after another; the same seed and calls give the same persons."""

    def __init__(self, seed: int) -> None:
        self._people = DutchPeople(seed)
        self._random = random.Random(f"marks/{seed}")

    def somebody(self, pc4: Pc4) -> Person:
        """A woman at an address in this postcode area, written down with care: every field, without an error."""
        mark = f"zz{self._random.getrandbits(48):012x}zz"
        drawn = self._people.person()
        letters = drawn.postcode[-2:]
        return _with_care(replace(drawn, postcode=f"{pc4} {letters}", email=f"{mark}@{_MAIL}"), mark)

    def sister(self, person: Person, pc4: Pc4) -> Person:
        """Her twin sister next door: one surname, birth date and street, everything of her own besides."""
        other = self.somebody(pc4)
        while other.who.given_names[:2] == person.who.given_names[:2]:
            other = self.somebody(pc4)
        family = replace(
            other.who,
            surname_prefix=person.who.surname_prefix,
            surname=person.who.surname,
            birth_date=person.who.birth_date,
            street=person.who.street,
        )
        return _with_care(family, other.mark)

    def as_typed_elsewhere(self, person: Person) -> Person:
        """The same woman as another provider wrote her down, with the errors that administrations make."""
        return replace(person, written=self._people.second_record(person.who))


def _with_care(who: DutchPerson, mark: str) -> Person:
    surname = f"{who.surname_prefix} {who.surname}".strip()
    written = DutchRecord(
        given_names=who.given_names,
        initials="".join(f"{word[0]}." for word in who.given_names.split()),
        surname=surname,
        birth_date=who.birth_date,
        bsn=who.bsn,
        phone=who.phone,
        email=who.email,
        postcode=who.postcode,
        house_number=who.house_number,
        street=who.street,
        city=who.city,
        insurer_number=who.insurer_number,
        due_date=who.due_date,
    )
    return Person(who, written, mark)
