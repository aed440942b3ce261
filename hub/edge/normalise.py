"""From what was typed to what can be compared: Dutch names, dates, postcodes, numbers, mail addresses.

Normalising is deterministic and one-way generous: two spellings of one fact should meet, and two facts that meet by
accident cost only a comparison, because a block is always a conjunction.
"""

import re
import unicodedata
from functools import lru_cache
from importlib.resources import files
from typing import Final

from hub.domain.identifiers import passes_eleven_test

_PREFIXES: Final = frozenset(
    "van von vom vd vdr v de den der d des di da do dos das du del della el al la le les los ten ter te tot te ver op "
    "in t s aan bij onder over uit voor af an het opt int toe zu zum zur auf dem ben bin ibn abu y e und af av".split()
)
_GLUED: Final = ("vander", "vanden", "vande", "vant", "opden", "opde", "inden", "inde", "inhet", "van")
_UNKNOWN: Final = frozenset({"", "unknown", "onbekend", "na", "nan", "none", "null", "nvt", "nb", "xx", "xxx", "x"})
_LETTERS: Final = re.compile(r"[^a-z]+")
_SPECIAL: Final = str.maketrans(
    {"ß": "ss", "æ": "ae", "ø": "o", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ĳ": "ij"}
)


@lru_cache(maxsize=65536)
def fold(text: str) -> str:
    """Lower case, without diacritics; apostrophes gone; the ligature ĳ as two letters."""
    text = text.lower().translate(_SPECIAL)
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return text.replace("'", "").replace("’", "").replace("`", "").strip()


def _words(text: str) -> list[str]:
    return [word for word in _LETTERS.split(fold(text)) if word]


@lru_cache(maxsize=65536)
def surname_parts(text: str) -> tuple[str, ...]:
    """The surnames in a field, without prefixes, in the order typed: `Jansen-v.d. Berg` → (jansen, berg).

    A hyphen, slash, or `e/v` parts two names. Prefixes are dropped wherever they stand, abbreviated or glued
    (`vandenBerg`), since administrations disagree on all of these. ij and y are one letter.
    """
    names: list[str] = []
    prefixes: list[str] = []
    for part in re.split(r"[-/,;&+]|\be/?v\b", fold(text)):
        words = _words(part)
        name = "".join(word for word in words if word not in _PREFIXES and len(word) > 1)
        for glued in _GLUED:
            if name.startswith(glued) and len(name) - len(glued) >= 4:
                name = name[len(glued) :]
                break
        name = name.replace("ij", "y")
        if not name:
            prefixes.append("".join(words))
        elif name not in _UNKNOWN and name not in names:
            names.append(name)
    if not names:
        names = [name for name in prefixes if len(name) > 1 and name not in _UNKNOWN]
    return tuple(names[:3])


@lru_cache(maxsize=65536)
def given_parts(text: str) -> tuple[str, ...]:
    """The given names in a field, in the order typed, ij and y as one letter; initials come out as single letters."""
    return tuple(word.replace("ij", "y") for word in _words(text) if word not in _UNKNOWN - {"x"})[:4]


@lru_cache(maxsize=1)
def _roots() -> dict[str, str]:
    rows = (files("hub.edge") / "given_names.csv").read_text(encoding="utf-8").splitlines()[1:]
    roots: dict[str, str] = {}
    for row in rows:
        root, _, names = row.partition(",")
        for name in names.split():
            roots.setdefault(name, root)
    return roots


def root_of(given_name: str) -> str:
    """The official name behind a call name (`anneke` → `anna`, `bob` → `robert`), or the name itself."""
    return _roots().get(given_name, given_name)


_SOUNDS: Final = (
    ("tsch", "s"), ("sch", "s"), ("tsj", "s"), ("sj", "s"), ("sh", "s"), ("sz", "s"), ("cz", "s"), ("ts", "s"),
    ("tz", "s"), ("ph", "f"), ("th", "t"), ("dt", "t"), ("gh", "g"), ("ch", "g"), ("ck", "k"), ("qu", "k"),
    ("x", "ks"), ("ce", "se"), ("ci", "si"), ("cy", "sy"), ("c", "k"), ("q", "k"), ("z", "s"), ("v", "f"),
    ("d", "t"), ("b", "p"), ("w", "f"),
)  # fmt: skip


@lru_cache(maxsize=65536)
def sound(name: str) -> str:
    """A name as it sounds to a Dutch ear: consonants only, voiced and unvoiced alike, at most six; vowels count first.

    A name of a single consonant keeps its vowels, so that `lee` and `laan` do not become one block.
    """
    if not name:
        return ""
    text = name
    for written, heard in _SOUNDS:
        text = text.replace(written, heard)
    first = "a" if text[0] in "aeiou" else "j" if text[0] in "jy" else text[0]
    code = first
    for letter in text[1:]:
        if letter in "aeiouyhj":
            continue
        if letter != code[-1]:
            code += letter
    if len(code) < 2:
        vowels = [letter for letter in text[1:] if letter in "aeiouyj"]
        code += "".join(letter for i, letter in enumerate(vowels) if i == 0 or vowels[i - 1] != letter)[:2]
    return code[:6]


def digits_of(text: str) -> str:
    """Only the digits."""
    return "".join(c for c in text if c.isascii() and c.isdigit())


def bsn(text: str) -> str:
    """A BSN that passes the eleven test, else nothing: a mistyped BSN would be somebody else's."""
    digits = digits_of(text)
    if len(digits) == 8:
        digits = "0" + digits
    return digits if passes_eleven_test(digits) and len(set(digits)) > 2 else ""


def number(text: str, least: int = 5) -> str:
    """The letters and digits of an account-like number; nothing when shorter than `least` or all one character."""
    bare = "".join(c for c in fold(text) if c.isascii() and c.isalnum())
    return bare if len(bare) >= least and len(set(bare)) > 2 and any(c.isdigit() for c in bare) else ""


def phone(text: str) -> str:
    """The last nine digits of a telephone number, which survive +31, 0031 and the leading zero."""
    digits = digits_of(text)
    return digits[-9:] if len(digits) >= 7 and len(set(digits)) > 2 else ""


def email(text: str) -> tuple[str, str]:
    """(local part, domain) in lower case, a `+tag` dropped; two empty strings when it is no address."""
    local, at, domain = fold(text).partition("@")
    local = local.partition("+")[0].strip()
    return (local, domain.strip()) if at and local and domain else ("", "")


def postcode(text: str) -> str:
    """Letters and digits in upper case, without spaces."""
    bare = "".join(c for c in text.upper() if c.isascii() and c.isalnum())
    return "" if len(bare) < 3 or bare.lower() in _UNKNOWN else bare[:9]


def is_dutch_postcode(code: str) -> bool:
    """Whether a normalised postcode is a full Dutch one, which with the house number implies street and town."""
    return re.fullmatch(r"[1-9][0-9]{3}[A-Z]{2}", code) is not None


def area(code: str) -> str:
    """The coarser part of a postcode: PC4, a British outward code, the first five of anything else."""
    if is_dutch_postcode(code):
        return code[:4]
    if re.fullmatch(r"[A-Z]{1,2}[0-9][A-Z0-9]?[0-9][A-Z]{2}", code):
        return code[:-3]
    return code[:5]


def house_number(text: str) -> str:
    """The first run of digits; additions (`12 bis`, `12-2`) are dropped because they are written in every way."""
    found = re.search(r"[0-9]{1,6}", text)
    return found[0].lstrip("0") if found else ""


def street(text: str) -> str:
    """Letters and digits in lower case, the common words for a street shortened to nothing, no house number."""
    words = [w for w in re.split(r"[^a-z0-9]+", fold(text)) if w and not w.isdigit()]
    kept = [word for word in words if word not in _STREET_WORDS] or words
    return "".join(kept)[:24]


_STREET_WORDS: Final = frozenset(
    "street straat str st road rd avenue ave av lane ln drive dr place pl court ct crescent cres cr close circuit cct "
    "terrace terr way the laan weg parade pde grove gr boulevard blvd".split()
)


def text(value: str) -> str:
    """Letters and digits in lower case, joined; nothing when it says unknown."""
    bare = re.sub(r"[^a-z0-9]+", "", fold(value))
    return "" if bare in _UNKNOWN else bare[:24]


def birth_date(value: str) -> tuple[str, str, str]:
    """(year, month, day) as typed, each possibly empty: `1991-04-03`, `19910403`, `1991-4-3`, `1991`."""
    parts = re.findall(r"[0-9]+", value)
    if len(parts) == 1 and len(parts[0]) == 8:
        whole = parts[0]
        parts = [whole[:4], whole[4:6], whole[6:]]
    if not parts or len(parts[0]) > 4 or len(parts) > 3:
        return "", "", ""
    year, month, day = [*parts, "", ""][:3]
    return year.zfill(4) if year else "", month[-2:].zfill(2) if month else "", day[-2:].zfill(2) if day else ""
