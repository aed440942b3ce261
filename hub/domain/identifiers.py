"""Identifiers of the sector, each its own type, each with the check that its issuer defines.

A check answers a question and never raises: what to do with a wrong identifier is the caller's rule.
"""

import re
from datetime import date
from functools import lru_cache
from typing import NewType

Agb = NewType("Agb", str)
"""AGB code of a provider: 8 digits."""
Uzovi = NewType("Uzovi", str)
"""UZOVI code of an insurer: 4 digits."""
Pc4 = NewType("Pc4", str)
"""The four digits of a Dutch postcode, 1000 to 9999. The hub never holds more of an address."""
RegionCode = NewType("RegionCode", str)
"""A KSV region of the committed table, or `NL` for what belongs to no single region."""
TenantId = NewType("TenantId", str)
"""Whoever has an inbox: lower-case letters, digits and dashes, since it is part of topic names."""
RecordId = NewType("RecordId", str)
"""A tenant's own opaque id of one record."""
Month = NewType("Month", int)
"""A calendar month as year × 12 + (month − 1), so that months can be counted."""
IsoDate = date

NATIONAL = RegionCode("NL")
"""The pseudo-region of tenants, refusals and rules that hold everywhere."""

_AGB = re.compile(r"[0-9]{8}")
_UZOVI = re.compile(r"[0-9]{4}")
_PC4 = re.compile(r"[1-9][0-9]{3}")
_TENANT = re.compile(r"[a-z][a-z0-9-]{1,30}")
_RECORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_PHONE = re.compile(r"(?:\+|00)?(?:31)?0?6?[0-9]{8,10}")
_DIGITS = re.compile(r"[0-9]+")


def is_agb(text: str) -> bool:
    """Eight digits (rule: DOMAIN "Identifiers")."""
    return _AGB.fullmatch(text) is not None


def is_uzovi(text: str) -> bool:
    """Four digits."""
    return _UZOVI.fullmatch(text) is not None


def is_pc4(text: str) -> bool:
    """Four digits, the first not zero."""
    return _PC4.fullmatch(text) is not None


def is_tenant_id(text: str) -> bool:
    """Fit to be part of a topic name."""
    return _TENANT.fullmatch(text) is not None


def is_record_id(text: str) -> bool:
    """1 to 64 characters of letters, digits and `._:-`, starting with a letter or digit."""
    return _RECORD.fullmatch(text) is not None


def passes_eleven_test(digits: str) -> bool:
    """The BSN check: nine digits, weights 9, 8, … 2, −1, sum divisible by 11 and not all zero."""
    if len(digits) != 9 or not _DIGITS.fullmatch(digits) or not digits.strip("0"):
        return False
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return sum(w * int(d) for w, d in zip(weights, digits, strict=True)) % 11 == 0


def looks_like_identity(text: str) -> bool:
    """Whether an id that should be opaque looks like a BSN, a phone number, a mail address or a person's name.

    Vendors' accidents are caught here before the id reaches a log, a key or a header. A false alarm costs the
    sender a refusal that names the remedy; a miss would cost a client her privacy.
    """
    bare = text.replace("-", "").replace(".", "").replace(" ", "").replace(":", "")
    if "@" in text or " " in text:
        return True
    if bare.isdigit():
        return passes_eleven_test(bare) or (len(bare) >= 8 and _PHONE.fullmatch(bare) is not None)
    return bare.isalpha() and len(bare) > 3


def month_of(day: date) -> Month:
    """The month in which a day lies."""
    return Month(day.year * 12 + day.month - 1)


def month_text(month: Month) -> str:
    """`2026-03` for March 2026."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def parse_month(text: str) -> Month:
    """The inverse of `month_text`; ValueError says what was found."""
    match = re.fullmatch(r"([0-9]{4})-(0[1-9]|1[0-2])", text)
    if match is None:
        raise ValueError(f"found {text!r}, expected a month as YYYY-MM")
    return Month(int(match[1]) * 12 + int(match[2]) - 1)


@lru_cache(maxsize=1024)
def first_day(month: Month) -> date:
    """The first day of a month."""
    return date(month // 12, month % 12 + 1, 1)
