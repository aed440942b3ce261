# ruff: noqa: E501 - word lists and tables of rates read better whole
"""Invented Dutch mothers-to-be with the mess that administrations make of them, seeded, with the truth beside it.

`DutchPeople` yields persons, noisy second records of one person, and people who are easily mistaken for another;
`population` makes a whole file of them. Error rates are a PROPOSAL (two tiers, std and hard). Names come from the
MIT-licensed lists of mimesis (dutch_names.csv), the most common surnames first, under Zipf frequencies.
"""

import csv
import random
import unicodedata
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files
from itertools import accumulate
from pathlib import Path
from typing import Final, Literal

from hub.domain.identifiers import passes_eleven_test

Tier = Literal["std", "hard"]
PREFIXES: Final = (
    "van der",
    "van den",
    "van de",
    "van",
    "de",
    "den",
    "ter",
    "ten",
    "te",
    "el",
    "aan de",
    "in 't",
    "op de",
    "aan het",
    "uit het",
)
_ABBREVIATIONS: Final = {
    "van der": "v.d.",
    "van den": "v.d.",
    "van de": "v.d.",
    "van": "v.",
    "de": "d.",
    "in 't": "i.t.",
    "aan de": "a.d.",
    "op de": "o.d.",
}
_KEYS: Final = {"a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "r": "et", "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "y": "tu", "z": "x"}  # fmt: skip
TODAY: Final = date(2026, 6, 1)


@dataclass(frozen=True, slots=True)
class DutchPerson:
    """One client as she truly is: the columns of the file, and what the noise needs besides.

    Dates are ISO text. `name_use` is the client's own choice: NL1 own, NL2 partner, NL3 partner-own, NL4 own-partner.
    """

    given_names: str
    call_name: str
    surname_prefix: str
    surname: str
    partner_prefix: str
    partner_surname: str
    name_use: str
    birth_date: str
    bsn: str
    phone: str
    email: str
    postcode: str
    house_number: str
    street: str
    city: str
    insurer_number: str
    due_date: str


@dataclass(frozen=True, slots=True)
class DutchRecord:
    """One client as one administration wrote her down. The columns of the file."""

    given_names: str
    initials: str
    surname: str
    birth_date: str
    bsn: str
    phone: str
    email: str
    postcode: str
    house_number: str
    street: str
    city: str
    insurer_number: str
    due_date: str


@dataclass(frozen=True, slots=True)
class Rates:
    """How often what goes wrong, as shares of records (PROPOSAL, from the sector's mess as told by packages)."""

    bsn_missing: float
    bsn_of_another: float
    name_use_changed: float
    prefix_dropped: float
    prefix_abbreviated: float
    prefix_glued: float
    diacritics_lost: float
    typo: float
    call_name: float
    initial_only: float
    date_swapped: float
    date_digit: float
    date_year: float
    date_placeholder: float
    moved: float
    address_typo: float
    phone_other: float
    phone_missing: float
    email_other: float
    email_missing: float
    insurer_other: float
    insurer_missing: float
    due_shifted: float
    divorced: float


RATES: Final[dict[Tier, Rates]] = {
    "std": Rates(0.03, 0.003, 0.22, 0.08, 0.12, 0.05, 0.5, 0.035, 0.18, 0.06, 0.002, 0.008, 0.005, 0.002, 0.07, 0.012, 0.20, 0.15, 0.15, 0.25, 0.03, 0.20, 0.55, 0.01),
    "hard": Rates(0.10, 0.01, 0.50, 0.24, 0.36, 0.10, 0.5, 0.105, 0.35, 0.18, 0.006, 0.024, 0.015, 0.006, 0.20, 0.036, 0.40, 0.35, 0.30, 0.40, 0.08, 0.40, 0.55, 0.03),
}  # fmt: skip
HARD_NEGATIVE_SHARE: Final = 0.04
SECOND_PREGNANCY_SHARE: Final = 0.02


@lru_cache(maxsize=1)
def _names() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    with (files("hub.local") / "dutch_names.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["kind"], []).append(row["name"])
    return {kind: tuple(names) for kind, names in found.items()}


@lru_cache(maxsize=1)
def _call_names() -> dict[str, tuple[str, ...]]:
    rows = (files("hub.edge") / "given_names.csv").read_text(encoding="utf-8").splitlines()[1:]
    return {row.partition(",")[0]: tuple(row.partition(",")[2].split()[1:]) for row in rows}


def _zipf(size: int, exponent: float) -> list[float]:
    return list(accumulate(1 / (rank + 8) ** exponent for rank in range(size)))


class DutchPeople:
    """A seeded source of persons. The same seed and calls give the same persons."""

    def __init__(self, seed: int, tier: Tier = "std", postcode_areas: Sequence[str] = ()) -> None:
        """`postcode_areas` (PC4) confines the addresses; without, they lie all over the country."""
        self._random = random.Random(f"dutch people {seed}")
        self._tier = tier
        names = _names()
        shuffled = random.Random("rank of given names")
        self._given = list(names["given_name"])
        shuffled.shuffle(self._given)
        self._surnames = [
            *names["surname"][:118],
            *shuffled.sample(names["surname"][118:], len(names["surname"]) - 118),
        ]
        self._given_weights = _zipf(len(self._given), 0.9)
        self._surname_weights = _zipf(len(self._surnames), 0.95)
        self._streets, self._cities = names["street"], names["city"]
        self._areas = list(postcode_areas) or [str(1000 + 9 * i // 4 % 9000) for i in range(4000)]
        self._second_given = tuple(_call_names())

    def person(self) -> DutchPerson:
        """One client."""
        r = self._random
        given = self._pick(self._given, self._given_weights)
        roots = _call_names()
        call = given
        if r.random() < 0.35:
            choice = r.random()
            known = roots.get(given.lower())
            if known and choice < 0.5:
                call = r.choice(known).title()
            elif choice < 0.8 and len(given) > 4:
                call = given[: r.choice((3, 4))] + r.choice(("", "a", "ie", "je", "y"))
            else:
                call = self._pick(self._given, self._given_weights)
        names = given if r.random() < 0.45 else f"{given} {r.choice(self._second_given).title()}"
        prefix, surname = self._surname()
        partner_prefix, partner = self._surname() if r.random() < 0.8 else ("", "")
        born = TODAY - timedelta(days=int(min(max(r.gauss(31.3, 4.8), 16.5), 47) * 365.25))
        use = r.choices(("NL1", "NL2", "NL3", "NL4"), (45, 12, 28, 15))[0] if partner else "NL1"
        person = DutchPerson(
            given_names=names,
            call_name=call,
            surname_prefix=prefix,
            surname=surname,
            partner_prefix=partner_prefix,
            partner_surname=partner,
            name_use=use,
            birth_date=born.isoformat(),
            bsn=self._bsn(),
            phone="06" + "".join(r.choices("0123456789", k=8)),
            email=self._email(call, surname),
            postcode="",
            house_number="",
            street="",
            city="",
            insurer_number="".join(r.choices("0123456789", k=10)),
            due_date=(TODAY + timedelta(days=r.randrange(0, 224))).isoformat(),
        )
        return self.moved(person)

    def moved(self, person: DutchPerson) -> DutchPerson:
        """The same person at another address."""
        r = self._random
        area = r.choice(self._areas)
        letters = r.choice("ABCDEFGHJKLMNPRSTVWXZ") + r.choice("ABCDEFGHJKLMNPRSTVWXZ")
        place = random.Random(f"street {area}{letters}")
        town = random.Random(f"town {area[:3]}")
        number = str(1 + int(r.expovariate(1 / 45)))
        if r.random() < 0.12:
            number += r.choice(("A", "B", "-2", " bis", "-1", "hs"))
        return replace(
            person,
            postcode=f"{area} {letters}",
            street=place.choice(self._streets),
            city=town.choice(self._cities),
            house_number=number,
        )

    def relative(self, person: DutchPerson) -> DutchPerson:
        """Somebody else who is easily mistaken for this person: a twin, a sister at one address, or a namesake."""
        r = self._random
        other = self.person()
        kind = r.choice(("twin", "sister", "namesake"))
        family = replace(
            other,
            surname_prefix=person.surname_prefix,
            surname=person.surname,
            postcode=person.postcode,
            house_number=person.house_number,
            street=person.street,
            city=person.city,
            phone=person.phone if r.random() < 0.15 else other.phone,
            email=self._email(other.call_name, person.surname),
        )
        if kind == "twin":
            return replace(family, birth_date=person.birth_date)
        if kind == "sister":
            return family
        return replace(
            other,
            given_names=person.given_names.split()[0],
            call_name=person.call_name,
            surname_prefix=person.surname_prefix,
            surname=person.surname,
            birth_date=person.birth_date,
            email=self._email(person.call_name, person.surname),
        )

    def second_pregnancy(self, person: DutchPerson) -> DutchPerson:
        """The same person, expecting again 11 to 40 months later: no duplicate."""
        due = date.fromisoformat(person.due_date) + timedelta(days=self._random.randrange(330, 1200))
        again = replace(person, due_date=due.isoformat())
        return self.moved(again) if self._random.random() < 0.3 else again

    def record(self, person: DutchPerson) -> DutchRecord:
        """A careful first record: as she is, only with what was not asked."""
        return self._write(person, person, Rates(*([0.0] * len(fields(Rates)))), RATES[self._tier])

    def second_record(self, person: DutchPerson) -> DutchRecord:
        """What another provider wrote down about the same person, with the errors of the tier."""
        rates = RATES[self._tier]
        r = self._random
        seen = person
        if r.random() < rates.divorced:
            seen = replace(seen, partner_surname="", partner_prefix="", name_use="NL1")
        if seen.partner_surname and r.random() < rates.name_use_changed:
            seen = replace(seen, name_use=r.choice(("NL1", "NL2", "NL3", "NL4")))
        if r.random() < rates.moved:
            seen = self.moved(seen)
        return self._write(person, seen, rates, rates)

    def _write(self, person: DutchPerson, seen: DutchPerson, wrong: Rates, missing: Rates) -> DutchRecord:
        r = self._random

        def happens(rate: float) -> bool:
            return r.random() < rate

        given = seen.call_name if happens(wrong.call_name) else seen.given_names
        if happens(wrong.typo):
            given = self._typo(given)
        initials = "".join(f"{word[0]}." for word in seen.given_names.split())
        if happens(wrong.initial_only):
            given = ""
        own = self._with_prefix(seen.surname_prefix, seen.surname, wrong)
        partner = self._with_prefix(seen.partner_prefix, seen.partner_surname, wrong) if seen.partner_surname else ""
        surname = {"NL1": own, "NL2": partner, "NL3": f"{partner}-{own}", "NL4": f"{own}-{partner}"}[
            seen.name_use if partner else "NL1"
        ]
        if happens(wrong.typo):
            surname = self._typo(surname)
        if happens(wrong.diacritics_lost):
            surname, given = _plain(surname), _plain(given)
        if happens(wrong.diacritics_lost * 0.5):
            surname = surname.replace("ij", "y") if "ij" in surname else surname.replace("y", "ij")
        postcode, number = seen.postcode, seen.house_number
        if happens(wrong.address_typo):
            postcode = self._digit(postcode)
        if happens(wrong.address_typo):
            number = self._digit(number)
        bsn = seen.bsn
        if happens(wrong.bsn_of_another):
            bsn = self._bsn()
        phone = "06" + "".join(r.choices("0123456789", k=8)) if happens(wrong.phone_other) else seen.phone
        if happens(0.3):
            phone = "+31 " + phone[1:]
        email = (
            self._email(self._pick(self._given, self._given_weights), seen.surname)
            if happens(wrong.email_other)
            else seen.email
        )
        insurer = "".join(r.choices("0123456789", k=10)) if happens(wrong.insurer_other) else seen.insurer_number
        due = date.fromisoformat(seen.due_date)
        if happens(wrong.due_shifted):
            due += timedelta(days=round(r.gauss(0, 4)))
        return DutchRecord(
            given_names=given,
            initials=initials,
            surname=surname,
            birth_date=self._date(seen.birth_date, wrong),
            bsn="" if happens(missing.bsn_missing) else bsn,
            phone="" if happens(missing.phone_missing) else phone,
            email="" if happens(missing.email_missing) else email,
            postcode=postcode if happens(0.7) else postcode.replace(" ", ""),
            house_number=number,
            street=seen.street,
            city=seen.city,
            insurer_number="" if happens(missing.insurer_missing) else insurer,
            due_date=due.isoformat(),
        )

    def _pick(self, names: Sequence[str], weights: Sequence[float]) -> str:
        return names[min(bisect(weights, self._random.random() * weights[-1]), len(names) - 1)]

    def _surname(self) -> tuple[str, str]:
        full = self._pick(self._surnames, self._surname_weights)
        for prefix in PREFIXES:
            if full.lower().startswith(prefix + " "):
                return prefix, full[len(prefix) + 1 :]
        return "", full

    def _bsn(self) -> str:
        while True:
            head = "".join(self._random.choices("0123456789", k=8))
            for last in "0123456789":
                if passes_eleven_test(head + last):
                    return head + last

    def _email(self, given: str, surname: str) -> str:
        r = self._random
        name, family = _plain(given).lower().replace(" ", ""), _plain(surname).lower().replace(" ", "").replace("'", "")
        local = r.choice(
            (
                f"{name}.{family}",
                f"{name[:1]}.{family}",
                f"{name}{family}",
                f"{name}{r.randrange(60, 99)}",
                f"{family}{name[:1]}{r.randrange(1, 99)}",
            )
        )
        return f"{local}@{r.choice(('gmail.com', 'hotmail.com', 'ziggo.nl', 'kpnmail.nl', 'outlook.com', 'live.nl'))}"

    def _with_prefix(self, prefix: str, surname: str, wrong: Rates) -> str:
        if not prefix:
            return surname
        chance = self._random.random()
        if chance < wrong.prefix_dropped:
            return surname
        chance -= wrong.prefix_dropped
        if chance < wrong.prefix_abbreviated:
            return f"{_ABBREVIATIONS.get(prefix, prefix)} {surname}"
        chance -= wrong.prefix_abbreviated
        if chance < wrong.prefix_glued:
            return (prefix.replace(" ", "") + surname.lower()).title()
        return f"{prefix} {surname}"

    def _typo(self, text: str) -> str:
        """One slip of the finger: a letter left out, doubled, swapped with the next, or replaced by a neighbour's key."""
        r = self._random
        places = [i for i, c in enumerate(text) if c.isalpha()]
        if len(places) < 3:
            return text
        at = r.choice(places)
        match r.randrange(4):
            case 0:
                return text[:at] + text[at + 1 :]
            case 1:
                return text[: at + 1] + text[at:]
            case 2 if at + 1 < len(text):
                return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
            case _:
                return text[:at] + r.choice(_KEYS.get(text[at].lower(), "e")) + text[at + 1 :]

    def _digit(self, text: str) -> str:
        places = [i for i, c in enumerate(text) if c.isdigit()]
        at = self._random.choice(places)
        lowest = "1" if at == 0 else "0"
        digit = self._random.choice([d for d in "0123456789" if d != text[at] and d >= lowest])
        return text[:at] + digit + text[at + 1 :]

    def _date(self, iso: str, wrong: Rates) -> str:
        r = self._random
        year, month, day = iso.split("-")
        chance = r.random()
        for rate, slip in (
            (wrong.date_swapped, "swapped"),
            (wrong.date_digit, "digit"),
            (wrong.date_year, "year"),
            (wrong.date_placeholder, "placeholder"),
        ):
            if chance >= rate:
                chance -= rate
                continue
            match slip:
                case "swapped" if int(day) <= 12:
                    month, day = day, month
                case "digit":
                    day = f"{1 + (int(day) + r.randrange(1, 28)) % 28:02d}"
                case "year":
                    year = str(int(year) + r.choice((-10, -1, 1, 10)))
                case "placeholder":
                    month, day = "01", "01"
            break
        return f"{year}-{month}-{day}"


@dataclass(frozen=True, slots=True)
class PopulationRow:
    """A record with its truth. `entity_id` names one pregnancy of one person; `relation` says how a record came about."""

    record_id: str
    entity_id: str
    source: str
    relation: str
    record: DutchRecord


def population(
    size: int, tier: Tier = "std", seed: int = 1, providers: int = 40, duplicate_share: float = 0.12
) -> Iterator[PopulationRow]:
    """About `size` records in random order over providers; one person's records lie at different providers.

    Beside duplicates: hard negatives (4 %: twins, sisters at one address, namesakes with one birth date) and second
    pregnancies (2 %), each with an entity of its own.
    """
    people = DutchPeople(seed, tier)
    r = random.Random(f"population {seed}")
    rows: list[tuple[str, str, str, DutchRecord]] = []
    entity = 0
    while len(rows) < size:
        person = people.person()
        sources = r.sample(range(providers), 3)
        rows.append((f"e{entity}", f"P{sources[0]:02d}", "first", people.record(person)))
        if r.random() < duplicate_share:
            rows.append((f"e{entity}", f"P{sources[1]:02d}", "again", people.second_record(person)))
            if r.random() < 0.08:
                rows.append((f"e{entity}", f"P{sources[2]:02d}", "again", people.second_record(person)))
        entity += 1
        chance = r.random()
        if chance < HARD_NEGATIVE_SHARE:
            rows.append(
                (f"e{entity}", f"P{r.randrange(providers):02d}", "relative", people.record(people.relative(person)))
            )
            entity += 1
        elif chance < HARD_NEGATIVE_SHARE + SECOND_PREGNANCY_SHARE:
            rows.append(
                (
                    f"e{entity}",
                    f"P{r.randrange(providers):02d}",
                    "second pregnancy",
                    people.second_record(people.second_pregnancy(person)),
                )
            )
            entity += 1
    rows = rows[:size]
    r.shuffle(rows)
    for i, (entity_id, source, relation, record) in enumerate(rows):
        yield PopulationRow(f"r{i:06d}", entity_id, source, relation, record)


def write_population(path: Path | str, size: int, tier: Tier = "std", seed: int = 1, with_bsn: bool = True) -> None:
    """A CSV that `hub match evaluate` reads, with the truth in `entity_id`."""
    columns = [field.name for field in fields(DutchRecord) if with_bsn or field.name != "bsn"]
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["record_id", "entity_id", "source", *columns], extrasaction="ignore")
        writer.writeheader()
        for row in population(size, tier, seed):
            writer.writerow(
                {"record_id": row.record_id, "entity_id": row.entity_id, "source": row.source, **asdict(row.record)}
            )


def _plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text.replace("ı", "i")) if not unicodedata.combining(c))
