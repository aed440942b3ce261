"""Learns a model without labels: the stories that explain patterns, fitted by expectation-maximisation, as integers.

The stories and which field plays which part in them are fixed (`STORIES`); how often each level then occurs is learned.
Fields that play the same part share one distribution, so little data goes far. Priors by hand (`prior_parts`) stand
in for data that is not there yet. Pairs inside one provider are two people by definition: they teach the stories of
two people only, so these cannot steal matches, nor be stolen by them.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hub.domain.identity import FIELDS, FieldKind
from hub.domain.match_model import ABSENT, LEVELS, Explanation, MatchModel, levels_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Story:
    """An explanation before it has weights: the part each field plays, `otherwise` for those not named.

    Parts: `own` (the same person's value, with the errors people make), `left` (what she left behind when she moved),
    `shared` (agrees because the block or the relation makes it agree), `random` (two people drawn at random),
    `family` (agrees about as often as not), `sound` (a name that sounds alike, since its sound makes the block),
    `piece` (a name of which three letters agree), `partly` (most of a birth date agrees, not all), `area` (the coarser
    part of a postcode agrees). Each way of meeting needs a story of those who meet so by chance: without one, EM takes
    them for one person with errors.
    """

    name: str
    same_person: bool
    share: float
    parts: Mapping[str, str]
    otherwise: str
    relative: bool = False
    """Whether these two people look like one person with errors. Left free, such a story would take true pairs; its
    share is bounded by how often it occurs inside providers, where it cannot be one person."""


_ADDRESS: Final = ("postcode", "house_number", "street", "city")
_ACCOUNTS: Final = ("phone", "email", "national_id", "insurer_number")
_NAMES: Final = {"given_name": "shared", "surname": "shared", "email": "family"}
STORIES: Final = (
    Story("one person", True, 0.5, {}, "own"),
    Story("one person who moved", True, 0.1, dict.fromkeys(_ADDRESS, "left"), "own"),
    Story("chance: one birth date", False, 0.1, {"birth_date": "shared"}, "random"),
    Story("chance: birth date and surname", False, 0.1, {"birth_date": "shared", "surname": "sound"}, "random"),
    Story("chance: birth date and given name", False, 0.1, {"birth_date": "shared", "given_name": "sound"}, "random"),
    Story(
        "chance: birth date and part of a surname", False, 0.05, {"birth_date": "shared", "surname": "piece"}, "random"
    ),
    Story(
        "chance: birth date and part of a given name",
        False,
        0.05,
        {"birth_date": "shared", "given_name": "piece"},
        "random",
    ),
    Story("namesakes", False, 0.05, _NAMES, "random"),
    Story(
        "namesakes of nearly one birth date", False, 0.005, {**_NAMES, "birth_date": "partly"}, "random", relative=True
    ),
    Story("namesakes of one birth date", False, 0.01, {**_NAMES, "birth_date": "shared"}, "random", relative=True),
    Story("one surname and most of a birth date", False, 0.05, {"surname": "sound", "birth_date": "partly"}, "random"),
    Story(
        "one given name and most of a birth date",
        False,
        0.05,
        {"given_name": "sound", "birth_date": "partly"},
        "random",
    ),
    Story("one birth date in one area", False, 0.02, {"birth_date": "shared", "postcode": "area"}, "random"),
    Story("one birth date in one town", False, 0.01, {"birth_date": "shared", "city": "shared"}, "random"),
    Story(
        "one surname in one town",
        False,
        0.01,
        {"surname": "sound", "city": "shared", "birth_place": "shared"},
        "random",
    ),
    Story(
        "one given name in one town",
        False,
        0.01,
        {"given_name": "sound", "city": "shared", "birth_place": "shared"},
        "random",
    ),
    Story("one street in one town", False, 0.01, {"street": "shared", "city": "shared"}, "random"),
    Story("one address", False, 0.05, dict.fromkeys(_ADDRESS, "shared"), "random"),
    Story("one street", False, 0.02, dict.fromkeys(("postcode", "street", "city"), "shared"), "random"),
    Story(
        "one surname in one area", False, 0.02, {"surname": "sound", "postcode": "shared", "city": "family"}, "random"
    ),
    Story(
        "one given name in one area",
        False,
        0.02,
        {"given_name": "sound", "postcode": "shared", "city": "family"},
        "random",
    ),
    Story(
        "one household",
        False,
        0.03,
        {
            **dict.fromkeys(_ADDRESS, "shared"),
            "surname": "shared",
            "phone": "family",
            "email": "family",
            "other": "family",
        },
        "random",
    ),
    Story(
        "twins",
        False,
        0.01,
        {
            **dict.fromkeys(_ADDRESS, "shared"),
            "surname": "shared",
            "birth_date": "shared",
            "phone": "family",
            "email": "family",
            "birth_place": "family",
            "sex": "family",
            "other": "family",
        },
        "random",
        relative=True,
    ),
    Story("one account", False, 0.01, dict.fromkeys(_ACCOUNTS, "family"), "random"),
)
"""Their order and number are part of the committed warm priors."""


def by_calendar(one_year: float) -> tuple[float, ...]:
    """How often two birth dates taken at random show each level above ABSENT, when `one_year` of them share a year.

    Years count as spread evenly over 1/one_year years, so that 9·one_year share the decade only, 0.1 − one_year the
    last digit only; months and days are the calendar's.
    """
    month, day = 1 / 12, 1 / 30.4
    both, either = month * day, month * (1 - day) + day * (1 - month)
    digit = 0.1 + 8 * one_year
    swapped = one_year * (1 - month) * day * day
    two_parts = one_year * (1 - month) * (1 - day) - swapped + digit * either
    agree = (two_parts, (1 - one_year - digit) * both, digit * both, one_year * either, swapped, one_year * both)
    return (1 - sum(agree), *agree)


_START: Final[dict[str, dict[FieldKind, tuple[float, ...]]]] = {
    "own": {
        FieldKind.NAME: (0.06, 0.01, 0.01, 0.04, 0.07, 0.82),
        FieldKind.NAMES: (0.04, 0.02, 0.01, 0.04, 0.08, 0.82),
        FieldKind.TEXT: (0.05, 0.02, 0.07, 0.86),
        FieldKind.DATE: (0.003, 0.006, 0.005, 0.017, 0.03, 0.009, 0.93),
        FieldKind.DIGITS: (0.03, 0.01, 0.03, 0.93),
        FieldKind.CODE: (0.04, 0.03, 0.02, 0.04, 0.87),
        FieldKind.EXACT: (0.05, 0.95),
        FieldKind.INITIAL: (0.05, 0.95),
    },
    "shared": {
        FieldKind.NAME: (0.01, 0.01, 0.001, 0.03, 0.15, 0.80),
        FieldKind.NAMES: (0.01, 0.01, 0.001, 0.05, 0.10, 0.83),
        FieldKind.TEXT: (0.01, 0.01, 0.04, 0.94),
        FieldKind.DATE: (0.001, 0.003, 0.001, 0.005, 0.01, 0.02, 0.96),
        FieldKind.DIGITS: (0.01, 0.005, 0.005, 0.98),
        FieldKind.CODE: (0.01, 0.01, 0.01, 0.01, 0.96),
        FieldKind.EXACT: (0.02, 0.98),
        FieldKind.INITIAL: (0.02, 0.98),
    },
    "random": {
        FieldKind.NAME: (0.90, 0.05, 0.001, 0.01, 0.015, 0.025),
        FieldKind.NAMES: (0.89, 0.08, 0.001, 0.01, 0.005, 0.015),
        FieldKind.TEXT: (0.90, 0.07, 0.01, 0.02),
        FieldKind.DATE: by_calendar(1 / 25),
        FieldKind.DIGITS: (0.994, 0.003, 0.001, 0.002),
        FieldKind.CODE: (0.90, 0.05, 0.03, 0.01, 0.01),
        FieldKind.EXACT: (0.95, 0.05),
        FieldKind.INITIAL: (0.92, 0.08),
    },
    "family": {
        FieldKind.NAME: (0.45, 0.03, 0.001, 0.02, 0.05, 0.45),
        FieldKind.NAMES: (0.4, 0.05, 0.001, 0.03, 0.07, 0.45),
        FieldKind.TEXT: (0.5, 0.08, 0.02, 0.4),
        FieldKind.DATE: (0.4, 0.05, 0.02, 0.03, 0.05, 0.05, 0.4),
        FieldKind.DIGITS: (0.5, 0.01, 0.01, 0.48),
        FieldKind.CODE: (0.4, 0.05, 0.05, 0.05, 0.45),
        FieldKind.EXACT: (0.4, 0.6),
        FieldKind.INITIAL: (0.5, 0.5),
    },
    "partly": {FieldKind.DATE: (0.02, 0.02, 0.40, 0.11, 0.42, 0.02, 0.01)},
    "sound": {
        FieldKind.NAME: (0.01, 0.02, 0.001, 0.05, 0.37, 0.55),
        FieldKind.NAMES: (0.01, 0.02, 0.001, 0.05, 0.37, 0.55),
    },
    "piece": {
        FieldKind.NAME: (0.50, 0.25, 0.001, 0.15, 0.05, 0.05),
        FieldKind.NAMES: (0.50, 0.25, 0.001, 0.15, 0.05, 0.05),
    },
    "area": {FieldKind.CODE: (0.02, 0.05, 0.85, 0.05, 0.03)},
}
_START["left"] = _START["random"]
_STRENGTH: Final = {
    "sound": 200.0,
    "piece": 200.0,
    "area": 200.0,
    "own": 60.0,
    "left": 30.0,
    "shared": 200.0,
    "random": 1000.0,
    "family": 60.0,
    "partly": 1000.0,
}
"""How many pairs the warm priors of a part count for. PROPOSAL."""
_SHARE_STRENGTH: Final = 20.0
_ROUNDS: Final = 60
_FLOOR: Final = 1e-5
_SEXES: Final = (0.5, 0.5)

Prior = dict[str, dict[str, list[float]]]
"""Part → field → probability of each level above ABSENT."""


def prior_parts() -> Prior:
    """The figures by hand that steady every fit."""
    prior: Prior = {}
    for part, kinds in _START.items():
        prior[part] = {}
        for field in FIELDS:
            row = kinds.get(field.kind, _START["random"][field.kind])
            if field.name == "sex" and part in ("random", "left"):
                row = _SEXES
            prior[part][field.name] = list(row)
    return prior


def part_of(story: Story, field: str) -> str:
    """The part that a field plays in a story."""
    return story.parts.get(field, story.otherwise)


def train(
    patterns: Iterable[tuple[bool, int, int]], prior: Prior, version: str, across_per_within: float | None = None
) -> MatchModel:
    """A model from pattern counts (within one provider, pattern, count), by MAP expectation-maximisation.

    `across_per_within`: how many pairs of records lie at two providers for each pair at one; None where every record
    stands alone. A relative is as likely to be found at another provider as at the same.
    """
    fitted, fitted_shares = fit(patterns, prior, across_per_within)
    return model_of(fitted, fitted_shares, version)


def fit(
    patterns: Iterable[tuple[bool, int, int]], prior: Prior, across_per_within: float | None = None
) -> tuple[Prior, list[float]]:
    """The fitted distributions and the share of each story among candidate pairs."""
    rows = list(patterns)
    start = np.array([story.share for story in STORIES])
    start = start / start.sum()
    if not rows:
        return prior, [float(share) for share in start]
    levels: Ints = np.array([levels_of(pattern) for _, pattern, _ in rows], dtype=np.int64)
    counts: Floats = np.array([count for _, _, count in rows], dtype=np.float64)
    within = np.array([inside for inside, _, _ in rows])
    current = {part: {name: np.array(row) for name, row in fields.items()} for part, fields in prior.items()}
    same = np.array([story.same_person for story in STORIES])
    relative = np.array([story.relative for story in STORIES])
    weights = start.copy()
    for _ in range(_ROUNDS):
        logs = log_fits(levels, current) + np.log(weights)
        logs[np.ix_(within, same)] = -1e9
        top = logs.max(axis=1, keepdims=True)
        resp: Floats = np.exp(logs - top)
        resp *= (counts / resp.sum(axis=1))[:, None]
        across = resp[~within].sum(axis=0)
        weights = (across + _SHARE_STRENGTH * start) / (across.sum() + _SHARE_STRENGTH)
        bound = start / start.sum()
        if across_per_within is not None:
            bound = np.maximum(bound, (resp[within].sum(axis=0) + 1) * across_per_within / max(across.sum(), 1.0))
        weights = np.where(relative, np.minimum(weights, bound), weights)
        weights /= weights.sum()
        current = _maximise(levels, resp, prior)
    fitted: Prior = {
        part: {name: [float(p) for p in row] for name, row in fields.items()} for part, fields in current.items()
    }
    return fitted, [float(weight) for weight in weights]


def log_fits(levels: Ints, current: Mapping[str, Mapping[str, Floats]]) -> Floats:
    """Natural log of each pattern's probability under each story, shares left out."""
    logs = np.zeros((len(levels), len(STORIES)))
    for s, story in enumerate(STORIES):
        for f, field in enumerate(FIELDS):
            table = np.concatenate(([0.0], np.log(np.maximum(current[part_of(story, field.name)][field.name], _FLOOR))))
            logs[:, s] += table[levels[:, f]]
    return logs


def one_year_of(differ: float, two_parts: float) -> float:
    """The share of one year that explains how many chance dates differ and how many agree in two parts of four.

    Only these two levels are asked: among the others hide the clients whose dates were mistyped, from whom namesakes
    would learn that chance dates nearly agree. Births spread over 10 to 100 years.
    """
    low, high = 0.01, 0.1
    for _ in range(40):
        middle = (low + high) / 2
        row = by_calendar(middle)
        low, high = (middle, high) if row[1] * differ < two_parts * row[0] else (low, middle)
    return low


def _maximise(levels: Ints, resp: Floats, prior: Prior) -> dict[str, dict[str, Floats]]:
    fresh = {
        part: {name: np.array(row) * _STRENGTH[part] for name, row in fields.items()} for part, fields in prior.items()
    }
    for s, story in enumerate(STORIES):
        for f, field in enumerate(FIELDS):
            seen = np.bincount(levels[:, f], weights=resp[:, s], minlength=LEVELS[f])
            fresh[part_of(story, field.name)][field.name] += seen[1 : LEVELS[f]]
    dates = fresh["random"]["birth_date"]
    fresh["random"]["birth_date"] = np.array(by_calendar(one_year_of(dates[0], dates[1])))
    return {part: {name: row / row.sum() for name, row in fields.items()} for part, fields in fresh.items()}


def model_of(prior: Prior, shares: list[float], version: str) -> MatchModel:
    """Distributions as integer weights: 1000 · log2 p, rounded."""
    explanations = []
    for story, share in zip(STORIES, shares, strict=True):
        rows = []
        for field in FIELDS:
            row = prior[part_of(story, field.name)][field.name]
            rows.append((ABSENT, *(_millibits(p) for p in row)))
        explanations.append(Explanation(story.name, story.same_person, _millibits(share), tuple(rows)))
    return MatchModel(version, tuple(explanations))


def _millibits(p: float) -> int:
    return min(0, round(1000 * math.log2(max(p, _FLOOR))))
