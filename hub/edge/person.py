"""The fields of a person as a provider's administration holds them. This type never leaves the provider."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PersonFields:
    """Everything is optional text as it was typed; an empty string means not known.

    `surname` may hold a prefix (tussenvoegsel) and a partner's name, in any order and glued or not: the normaliser
    takes them apart. `birth_date` is year-month-day (`1991-04-03`); an impossible date is kept as typed, because a
    typing error is still evidence. `bsn` counts only when it passes the eleven test; `national_id` is any other
    country's number, not checked.
    """

    given_names: str = ""
    initials: str = ""
    surname_prefix: str = ""
    surname: str = ""
    partner_prefix: str = ""
    partner_surname: str = ""
    birth_date: str = ""
    sex: str = ""
    bsn: str = ""
    national_id: str = ""
    phone: str = ""
    email: str = ""
    postcode: str = ""
    house_number: str = ""
    street: str = ""
    city: str = ""
    insurer_number: str = ""
    birth_place: str = ""
    other: str = ""
