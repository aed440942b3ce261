# ruff: noqa: E501 - word lists and tables of rates read better whole
"""Person fields in files with any common column names: what a column means, told from its name and, failing that, its values."""

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hub.edge.errors import UnknownColumns
from hub.edge.person import PersonFields

_SYNONYMS: Final[Mapping[str, str]] = {
    name: field
    for field, names in {
        "given": "givenname givennames firstname firstnames forename forenames fname fnamec1 first given voornaam "
        "voornamen roepnaam pername1 name1 vorname prenom christianname gname",
        "given2": "fnamec2 middlename middlenames middleinitial middle secondname forename2 givenname2 tweedevoornaam mname",
        "initials": "initials voorletters initialen initial",
        "prefix": "surnameprefix prefix tussenvoegsel voorvoegsel voorvoegsels infix",
        "surname": "surname lastname familyname lname lnamec1 last family achternaam geslachtsnaam pername2 name2 nachname "
        "nom sname",
        "surname2": "lnamec2 maidenname birthname meisjesnaam partnersurname partnername partnernaam surname2 secondsurname "
        "geboortenaam lastname2 othersurname",
        "prefix2": "partnerprefix voorvoegselpartner tussenvoegselpartner",
        "full": "fullname name naam personname clientname volledigenaam",
        "dob": "dob dateofbirth birthdate birthday geboortedatum birth born dateborn birthdt dobfull bdate",
        "year": "by dobyear birthyear yearofbirth yob geboortejaar dobyyyy dobyr year",
        "month": "bm dobmon dobmonth birthmonth monthofbirth mob geboortemaand dobmm month",
        "day": "bd dobday birthday dayofbirth geboortedag dobdd day",
        "sex": "sex gender geslacht sexe",
        "bsn": "bsn burgerservicenummer",
        "ssn": "ssn socsecid socialsecuritynumber nationalid nino nhsnumber nhsno nhs personnummer idnumber medicareid sofinummer "
        "socialsecurity socsec taxid itin",
        "phone": "phone phonenumber telephone tel telefoon telefoonnummer mobile mobiel cell homephone phone1 mobilephone msisdn contactnumber phoneno telno telefoonnr",
        "email": "email mail emailaddress emailadres epost",
        "postcode": "postcode zip zipcode postalcode enumpc pc postcodefake plz pcode postcd postalcd mailingaddresszipcode",
        "number": "housenumber streetnumber huisnummer number streetno houseno housenr addressnumber nr hsenum hseno hsenr",
        "street": "street streetname straat straatnaam address1 address addressline1 strnam adres streetaddress addr addr1 "
        "enumcap capadd addressline strname stname addressstreet adresregel",
        "city": "city town suburb plaats woonplaats municipality locality gemeente place village",
        "insurer": "insurernumber insurancenumber insuranceid polisnummer verzekerdennummer relatienummer verzekerdenummer "
        "policynumber insureenumber",
        "due": "duedate uitgerekendedatum expecteddate edd aterm atermedatum",
        "place": "birthplace placeofbirth geboorteplaats pob",
        "other": "address2 addressline2 occupation profession beroep addr2 unitnumber unit flat apartment",
    }.items()
    for name in names.split()
}
_QUALIFIERS: Final = frozenset(
    "client patient person cust customer member applicant subject mother mailing address adres home res residential "
    "current std clean raw orig norm legal primary txt val value klant zorgvrager moeder".split()
)
"""Words that say whose field it is, or in what state, and not what: `patient_first_name`, `mailing_address_zipcode`."""
_OTHERS: Final = frozenset(
    "employer spouse father husband wife kin emergency gp doctor provider hospital company registration event admission "
    "created updated start end care organisation organization".split()
)
"""A column with one of these is about somebody or something else, however it goes on."""
_RECORD_ID: Final = ("recordid", "recid", "id")
_MONTHS: Final = {
    name: f"{i + 1:02d}" for i, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split())
}
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[a-z]+", re.IGNORECASE)
_DATE: Final = re.compile(
    r"(1[89]|20)[0-9]{2}[-/.]?[0-9]{1,2}[-/.]?[0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.](1[89]|20)[0-9]{2}"
)
_DUTCH_POSTCODE: Final = re.compile(r"[1-9][0-9]{3} ?[A-Za-z]{2}")


@dataclass(frozen=True, slots=True)
class Table:
    """A file of persons. `entity_ids` are for scoring only and empty when the file has none."""

    record_ids: tuple[str, ...]
    sources: tuple[str, ...]
    entity_ids: tuple[str, ...]
    persons: tuple[PersonFields, ...]
    due_dates: tuple[str, ...]
    fields: Mapping[str, str]
    """What each recognised column was taken for."""

    @property
    def several_sources(self) -> bool:
        """Whether only pairs across sources may match."""
        return len(set(self.sources)) > 1


def read_table(path: Path | str) -> Table:
    """Read a CSV (comma or semicolon, UTF-8) of persons.

    Raises UnknownColumns when it is no CSV, no person field is recognised or a record id occurs twice. Without `record_id` the line
    number is the id; without `source` everything is one source.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        head = text.partition("\n")[0]
        rows = list(csv.reader(text.splitlines(), delimiter=";" if head.count(";") > head.count(",") else ","))
    except UnicodeDecodeError as problem:
        line = problem.object[: problem.start].count(b"\n") + 1
        raise UnknownColumns(
            f"{path} is no UTF-8 text from line {line} on: expected CSV in UTF-8; save it again with that encoding"
        ) from None
    except csv.Error as problem:
        raise UnknownColumns(
            f"{path} is no CSV ({problem}): expected one line a person, commas or semicolons"
        ) from None
    if not rows:
        raise UnknownColumns(f"{path} is empty: expected a header line and one line a person")
    header, body = rows[0], [row for row in rows[1:] if any(cell.strip() for cell in row)]
    names = _plain_names(header)
    columns = {name: [row[i].strip() if i < len(row) else "" for row in body] for i, name in enumerate(names) if name}
    record_column = next((name for name in _RECORD_ID if name in columns), None)
    records = columns[record_column] if record_column else [str(i) for i in range(len(body))]
    if len(set(records)) != len(records):
        raise UnknownColumns(f"{path} has a record id twice: expected a unique one on each line")
    taken = {record_column or "", "entityid", "source", "cluster", "uniqueid", "simulantid", "personid"}
    meaning = _meaning({name: values for name, values in columns.items() if name not in taken})
    if not set(meaning.values()) - {"sex", "other"}:
        raise UnknownColumns(
            f"no person field recognised among {', '.join(header)}: expected names such as surname, birth_date, postcode"
        )
    due = next((name for name, field in meaning.items() if field == "due"), None)
    return Table(
        tuple(records),
        tuple(columns.get("source", [""] * len(body))),
        tuple(columns.get("entityid", ())),
        tuple(_persons(columns, meaning, len(body))),
        tuple(columns[due]) if due else ("",) * len(body),
        {header[names.index(name)]: field for name, field in meaning.items()},
    )


def _plain_names(header: Sequence[str]) -> list[str]:
    """`Patient First-Name` and `patientFirstName` → firstname: qualifiers go where what is left has a known meaning,
    and no column bears that name by itself."""
    wholes = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in header]
    names: list[str] = []
    for name, whole in zip(header, wholes, strict=True):
        words = re.findall(r"[a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
        bare = "".join(word for word in words if word not in _QUALIFIERS)
        known = whole not in _SYNONYMS and bare in _SYNONYMS and _OTHERS.isdisjoint(words)
        names.append(bare if known and bare not in wholes and bare not in names else whole)
    return names


def _meaning(columns: Mapping[str, Sequence[str]]) -> dict[str, str]:
    meaning = {name: _SYNONYMS[name] for name in columns if name in _SYNONYMS}
    if "birthday" in meaning and not any(len(value) > 2 for value in columns["birthday"]):
        meaning["birthday"] = "day"
    elif "birthday" in meaning:
        meaning["birthday"] = "dob"
    found = set(meaning.values())
    for name, values in columns.items():
        if name in meaning:
            continue
        known = [value for value in values[:2000] if value]
        for field, pattern in (("email", _EMAIL), ("dob", _DATE), ("postcode", _DUTCH_POSTCODE)):
            if field not in found and known and sum(bool(pattern.fullmatch(v)) for v in known) >= 0.8 * len(known):
                if field == "dob" and "year" in found:
                    continue
                meaning[name] = field
                found.add(field)
                break
    if "given" in found or "surname" in found:
        meaning = {name: field for name, field in meaning.items() if field != "full"}
    return meaning


def _persons(columns: Mapping[str, Sequence[str]], meaning: Mapping[str, str], size: int) -> Iterable[PersonFields]:
    by_field: dict[str, list[Sequence[str]]] = {}
    for name, field in meaning.items():
        by_field.setdefault(field, []).append(columns[name])
    dates = by_field.get("dob", [])
    reader = _date_reader(dates[0]) if dates else None

    def cell(field: str, row: int) -> str:
        return " ".join(values[row] for values in by_field.get(field, ()) if values[row])

    def first(field: str, row: int) -> str:
        return next((values[row] for values in by_field.get(field, ()) if values[row]), "")

    for row in range(size):
        given, surname = cell("given", row), cell("surname", row)
        if "full" in by_field and not given and not surname:
            given, surname = _split_full(first("full", row))
        if "given2" in by_field:
            given = f"{given} {cell('given2', row)}"
        if reader is not None:
            born = reader(dates[0][row])
        else:
            year, month, day = (first(part, row) for part in ("year", "month", "day"))
            born = (
                "-".join((_whole(year), _whole(_MONTHS.get(month[:3].lower(), month)), _whole(day)))
                if year or month or day
                else ""
            )
        street, number, postcode = first("street", row), first("number", row), first("postcode", row)
        if not number and re.search(r"[0-9]", street):
            number = (re.search(r"[0-9]+", street) or [""])[0]
        if not postcode and "postcode" not in by_field:
            inside = _DUTCH_POSTCODE.search(street)
            postcode = inside[0] if inside else ""
        yield PersonFields(
            given_names=given,
            initials=first("initials", row),
            surname_prefix=first("prefix", row),
            surname=surname,
            partner_prefix=first("prefix2", row),
            partner_surname=cell("surname2", row),
            birth_date=born,
            sex=first("sex", row),
            bsn=first("bsn", row),
            national_id=first("ssn", row),
            phone=first("phone", row),
            email=first("email", row),
            postcode=postcode,
            house_number=number,
            street=street,
            city=cell("city", row),
            insurer_number=first("insurer", row),
            birth_place=first("place", row),
            other=cell("other", row),
        )


def _whole(text: str) -> str:
    """`7.0` → `7`: numbers that a spreadsheet made decimal."""
    return text.partition(".")[0]


def _split_full(name: str) -> tuple[str, str]:
    last, comma, rest = name.partition(",")
    if comma:
        return rest.strip(), last.strip()
    words = name.split()
    return (words[0], " ".join(words[1:])) if len(words) > 1 else ("", name)


def _date_reader(values: Sequence[str]) -> Callable[[str], str]:
    """How this column writes dates, told from all its values: year first; else day or month first, by which exceeds 12."""
    firsts, seconds = 0, 0
    for value in values:
        parts = re.findall(r"[0-9]+", value)
        if len(parts) >= 3 and len(parts[0]) <= 2 and len(parts[1]) <= 2:
            firsts += int(parts[0]) > 12
            seconds += int(parts[1]) > 12
    month_first = seconds > firsts

    def read(value: str) -> str:
        word = re.search(r"[A-Za-z]{3,}", value)
        if word and word[0][:3].lower() in _MONTHS:
            value = value.replace(word[0], _MONTHS[word[0][:3].lower()])
        value = value.partition("T")[0].partition(" 00:")[0]
        parts: list[str] = re.findall(r"[0-9]+", value)
        if len(parts) == 1:
            digits = parts[0]
            if len(digits) == 8 and not digits.startswith(("18", "19", "20")):
                return (
                    f"{digits[4:]}-{digits[:2]}-{digits[2:4]}"
                    if month_first
                    else f"{digits[4:]}-{digits[2:4]}-{digits[:2]}"
                )
            return digits
        if len(parts) >= 3 and len(parts[0]) <= 2:
            first, second, year = parts[:3]
            return f"{year}-{first}-{second}" if month_first else f"{year}-{second}-{first}"
        return "-".join(parts[:3])

    return read
