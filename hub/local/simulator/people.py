"""Persons that do not exist, with names, numbers and addresses as a provider's administration holds them.

A person never leaves the simulator but through the edge. Numbers stay in ranges that are not in use: a BSN begins
with 9, a mail address ends in a reserved domain.
"""

import dataclasses
import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from hub.domain.identifiers import Pc4, passes_eleven_test
from hub.edge import PersonFields

_GIVEN: Final = (
    "Emma Julia Sophie Anna Lotte Fleur Eva Sara Lisa Anouk Sanne Femke Maud Iris Roos Noor Nina Merel Esther Marieke "
    "Ilse Karin Linda Monique Petra Ingrid Saskia Wendy Kim Laura Charlotte Isa Jasmijn Yasmine Fatima Samira Aylin "
    "Elif Naomi Naïma Renée Zoë Chloé Danique Floor Hanna Jolien Katja Leonie Manon Nadia Olivia Pien Quirine Rianne "
    "Suzanne Tessa Vera Willemijn Xandra Yara Amber Britt Carmen Daphne Elise Froukje Geertje Hilde Inge Jannie"
).split()
_SURNAMES: Final = tuple(
    tuple(name.rpartition(" ")[::2])
    for name in (
        "de Jong,Jansen,de Vries,van den Berg,van Dijk,Bakker,Janssen,Visser,Smit,Meijer,de Boer,Mulder,de Groot,Bos,"
        "Vos,Peters,Hendriks,van Leeuwen,Dekker,Brouwer,de Wit,Dijkstra,Smits,de Graaf,van der Meer,van der Linden,Kok,"
        "Jacobs,de Haan,Vermeulen,van den Heuvel,van der Veen,van den Broek,de Bruijn,van der Heijden,Schouten,Willems,"
        "van Beek,van Vliet,Hoekstra,Maas,Verhoeven,Koster,van Dam,van der Wal,Prins,Blom,Huisman,Peeters,Kuipers,"
        "van Veen,Kuiper,Veenstra,Kramer,van den Brink,Gerritsen,Scholten,van Wijk,Postma,Martens,Vink,de Ruiter,"
        "Timmermans,Groen,Gerrits,Jonker,van Loon,Boer,van der Velde,Willemsen,Smeets,de Lange,de Vos,Bosch,van Dongen,"
        "Schipper,de Koning,Koning,van der Laan,Driessen,Hermans,Evers,van den Bosch,van der Meulen,Hofman,Bosman,"
        "Wolters,Sanders,van der Horst,Mol,Kuijpers,Molenaar,van de Pol,de Leeuw,Verbeek,Yılmaz,El Amrani,Öztürk,"
        "Kowalska,Nguyen,Pinas,Ramdin,Çelik,Abdi,Zwart,Terpstra,Hoogendoorn,Wiersma,Zijlstra,Bijlsma,Ijsselstein"
    ).split(",")
)
_STREETS: Final = (
    "Dorpsstraat Kerkstraat Molenweg Schoolstraat Lindelaan Beukenlaan Eikenweg Julianastraat Wilhelminalaan "
    "Stationsweg Parklaan Nieuwstraat Industrieweg Kastanjelaan Vijverhof Meidoornstraat Zonnebloemstraat Acaciaplein "
    "Burgemeesterslaan Havenkade"
).split()
_LETTERS: Final = "ABCDEGHJKLNPRSTVWXZ"


@dataclass(frozen=True, slots=True)
class Person:
    """One person as two administrations may know her; `mark` is a text that must exist nowhere beyond the edge."""

    given_names: str
    surname_prefix: str
    surname: str
    birth_date: date
    bsn: str
    phone: str
    email: str
    street: str
    house_number: int
    postcode: str
    mark: str

    @property
    def name(self) -> str:
        """As it is said."""
        return " ".join(part for part in (self.given_names, self.surname_prefix, self.surname) if part)

    @property
    def pc4(self) -> Pc4:
        """All of the address that may leave the provider."""
        return Pc4(self.postcode[:4])

    def fields(self) -> PersonFields:
        """What the administration hands to the edge."""
        return PersonFields(
            given_names=self.given_names,
            surname_prefix=self.surname_prefix,
            surname=self.surname,
            birth_date=self.birth_date.isoformat(),
            sex="v",
            bsn=self.bsn,
            phone=self.phone,
            email=self.email,
            postcode=self.postcode,
            house_number=str(self.house_number),
            street=self.street,
        )

    def told(self) -> dict[str, str]:
        """For truth.jsonl, which alone may hold a person."""
        return {
            "name": self.name,
            "bsn": self.bsn,
            "birth_date": self.birth_date.isoformat(),
            "phone": self.phone,
            "email": self.email,
            "street": f"{self.street} {self.house_number}",
        }


class Population:
    """Draws persons; no two share a BSN, a telephone number or a mail address unless a method says so."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._count = 0
        self._bsns: set[str] = set()
        self._weights = [1 / (rank + 3) for rank in range(len(_SURNAMES))]

    def somebody(self, pc4: Pc4, today: date) -> Person:
        """A woman of 19 to 43 at an address in this postcode area."""
        draw = self._random
        self._count += 1
        given = draw.choice(_GIVEN) if draw.random() < 0.7 else " ".join(draw.sample(_GIVEN, 2))
        prefix, surname = draw.choices(_SURNAMES, self._weights)[0]
        age_days = round(min(43.0, max(19.0, draw.gauss(31.3, 4.6))) * 365.25)
        mark = f"zz{draw.getrandbits(48):012x}zz"
        return Person(
            given_names=given,
            surname_prefix=prefix,
            surname=surname,
            birth_date=today - timedelta(days=age_days + draw.randrange(365)),
            bsn=self._bsn(),
            phone=f"06{10_000_000 + (self._count * 7919 + draw.randrange(7000)) % 89_999_999:08d}",
            email=f"{mark}@mail.example",
            street=draw.choice(_STREETS),
            house_number=draw.randrange(1, 240),
            postcode=f"{pc4}{draw.choice(_LETTERS)}{draw.choice(_LETTERS)}",
            mark=mark,
        )

    def sister(self, person: Person) -> Person:
        """Her twin sister: same surname, birth date and street, everything of her own besides."""
        other = self.somebody(person.pc4, person.birth_date + timedelta(days=31 * 365))
        return dataclasses.replace(
            other,
            given_names=next(
                name for name in _GIVEN[self._random.randrange(50) :] if name[:2] != person.given_names[:2]
            ),
            surname_prefix=person.surname_prefix,
            surname=person.surname,
            birth_date=person.birth_date,
            street=person.street,
            house_number=person.house_number + 2,
        )

    def as_typed_elsewhere(self, person: Person) -> Person:
        """The same woman in another administration: no BSN, another telephone number, perhaps a typing error."""
        draw = self._random
        surname = person.surname
        if draw.random() < 0.4 and len(surname) > 4:
            at = draw.randrange(1, len(surname) - 2)
            surname = surname[:at] + surname[at + 1] + surname[at] + surname[at + 2 :]
        return dataclasses.replace(
            person,
            given_names=person.given_names.split()[0],
            surname_prefix=person.surname_prefix if draw.random() < 0.7 else "",
            surname=surname,
            bsn="",
            phone=self.somebody(person.pc4, person.birth_date).phone,
        )

    def _bsn(self) -> str:
        while True:
            digits = f"9{self._random.randrange(10**8):08d}"
            if passes_eleven_test(digits) and digits not in self._bsns:
                self._bsns.add(digits)
                return digits
