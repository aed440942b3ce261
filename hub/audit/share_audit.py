"""Fair-share statements, checked by somebody else than the hub.

An auditor who holds the log refolds one region and says whether each statement of a month is the one that follows from
it, or where not (`verify_region`). A provider holds no log: it computes its own line again from its own figures and
the published ΣQ, ΣV, λ and H, and sees whether its line and these totals lead to the root that was given to everybody
(`check_statement`).
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import msgspec

from hub.audit.verify import Difference, Row, Verdict, logs_of_region, read_topic, refold
from hub.contracts import codec
from hub.domain.facts import FairShareStated, RegionSharesStated, RootSigned
from hub.domain.fair_share import ShareRules, Standing, own_target, weight_of
from hub.domain.identifiers import Month, RegionCode, month_text, parse_month
from hub.domain.share_statements import line_text, totals_text
from hub.domain.statement_root import canonical, leaf_hash, root_from
from hub.domain.statements import RegionTotals
from hub.errors import UsageError

Statement = FairShareStated | RegionSharesStated
OWN_FIGURES: Final = (
    "employed_minutes", "self_employed_minutes", "delivered_minutes_12m", "own_obligation_minutes",
    "carry_before_minutes",
)  # fmt: skip
"""What a provider knows of its own month, by the names of the statement's fields."""

_TYPES: Final = frozenset(codec.type_name(kind) for kind in (FairShareStated, RegionSharesStated))


@dataclass(frozen=True, slots=True)
class RegionVerdict:
    """What a refold of one region found about the statements of one month."""

    statements: int
    root: str
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Whether every statement is the one that the log gives."""
        return not self.differences


def verify_region(dump: Path, region: str, month: str) -> RegionVerdict:
    """Refold a region from a dump and hold its statements of a month against those beside the log.

    UsageError: no such region in the tables, no month, or nothing of that month in log and facts.
    """
    wanted = month_text(month_in(month))
    expected: dict[tuple[str, str], bytes] = {}
    found: dict[tuple[str, str], bytes] = {}
    for log in logs_of_region(dump, region):
        topic = log.fold.facts_topic
        for _, facts in refold(log.fold, log.reference, log.partition, log.rows):
            for fact in facts:
                if isinstance(fact_of := codec.decode(fact.value), Statement) and fact_of.month == wanted:
                    expected[topic, dict(fact.headers)["ce_hubpos"].decode()] = fact.value
        for one in read_topic(dump, topic, log.partition):
            if one.key == region and one.value is not None and _is_statement_of(one, wanted):
                found[topic, one.headers["ce_hubpos"]] = one.value
    if not expected and not found:
        raise UsageError(f"found no statement of {region} for {wanted}, expected a month that this dump has closed")
    verdict = Verdict()
    for place in sorted({*expected, *found}):
        _compare(place, found.get(place), expected.get(place), verdict)
    roots = [one.statement_root for one in map(codec.decode, expected.values()) if isinstance(one, RegionSharesStated)]
    return RegionVerdict(len(expected), roots[0] if roots else "", tuple(verdict.differences))


def month_in(text: str) -> Month:
    """The month that a person named. UsageError: it is none."""
    try:
        return parse_month(text)
    except ValueError as problem:
        raise UsageError(f"found month {text!r}, expected YYYY-MM") from problem


def _is_statement_of(row: Row, month: str) -> bool:
    if row.value is None or row.headers.get("ce_type") not in _TYPES:
        return False
    return bool(codec.decode(row.value).month == month)


def _compare(at: tuple[str, str], found: bytes | None, expected: bytes | None, verdict: Verdict) -> None:
    topic, place = at
    if found == expected:
        return
    if found is None:
        verdict.tell(Difference(topic, place, "no statement", "the one that the log gives"))
        return
    if expected is None:
        verdict.tell(Difference(topic, place, "a statement", "none at this position"))
        return
    said, meant = asdict(codec.decode(found)), asdict(codec.decode(expected))
    who = said.get("provider", "the region")
    for name in meant:
        if said.get(name) != meant[name]:
            verdict.tell(Difference(topic, f"{place} {who} {name}", str(said.get(name)), str(meant[name])))


@dataclass(frozen=True, slots=True)
class LineVerdict:
    """What a provider found about one of its own lines; `disagreements` is empty where all is as it should be.

    `recomputed`: whether the published totals were there to compute the line again (they are not where a competitor's
    figure would follow). `root_published`: whether the root was held against the one given to everybody.
    """

    region: str
    month: str
    provider: str
    recomputed: bool
    root_published: bool
    disagreements: tuple[str, ...]


def check_statement(
    statement: FairShareStated, published_root: str | None = None, own: Mapping[str, int] | None = None
) -> LineVerdict:
    """A line computed again by whom it is about. `own`: its own figures by name, where it trusts those more."""
    told = {name: getattr(statement, name) for name in OWN_FIGURES}
    known = {**told, **(own or {})}
    found = [
        f"{name}: the statement says {told[name]}, you say {known[name]}" for name in told if told[name] != known[name]
    ]
    standing = Standing(
        statement.provider, known["employed_minutes"], known["self_employed_minutes"],
        known["delivered_minutes_12m"], known["own_obligation_minutes"], known["carry_before_minutes"],
    )  # fmt: skip
    if statement.spare_minutes != standing.spare_minutes:
        found.append(f"spare_minutes: found {statement.spare_minutes}, expected {standing.spare_minutes}")
    totals = _totals(statement)
    if totals is not None:
        part = Fraction(statement.capacity_weight)
        rules = ShareRules(capacity_weight=part, delivery_weight=1 - part)
        weight = weight_of(standing, totals.deployable_minutes, totals.delivered_minutes_12m, rules)
        target = own_target(standing, weight, totals.level_minutes)
        if Fraction(statement.weight) != weight:
            found.append(f"weight: found {statement.weight}, expected {weight}")
        if Fraction(statement.target) != target:
            found.append(f"target: found {statement.target} minutes, expected {target}")
        if abs(statement.target_minutes - target) >= 1:
            found.append(f"target_minutes: found {statement.target_minutes}, expected {target} to the minute")
    found += _faults_of_root(statement, totals, published_root)
    return LineVerdict(
        statement.region, statement.month, statement.provider, totals is not None, published_root is not None,
        tuple(found),
    )  # fmt: skip


def _totals(statement: FairShareStated) -> RegionTotals | None:
    deployable, delivered = statement.deployable_total_minutes, statement.delivered_total_minutes_12m
    pool, unmet, level = statement.pool_minutes, statement.unmet_minutes, statement.level
    if deployable is None or delivered is None or pool is None or unmet is None or level is None:
        return None
    return RegionTotals(statement.providers, deployable, delivered, pool, unmet, Fraction(level))


def _faults_of_root(
    statement: FairShareStated, totals: RegionTotals | None, published_root: str | None
) -> Iterable[str]:
    if totals is not None and statement.totals_blind is not None:
        text = canonical(totals_text(statement.region, statement.month, totals))
        if leaf_hash(statement.totals_blind, text) != statement.totals_leaf:
            yield "totals: these are not the totals under the root"
    leaf = leaf_hash(statement.blind, canonical(line_text(statement)))
    if root_from(leaf, statement.proof, statement.totals_leaf) != statement.statement_root:
        yield "line: it does not lead to the root that the statement names"
    if published_root is not None and published_root != statement.statement_root:
        yield f"root: found {statement.statement_root}, everybody else was given {published_root}"


def check_file(statements: Path, roots: Path | None = None, own: Path | None = None) -> list[LineVerdict]:
    """Check every line in a dumped `out.fair-share.<package>.jsonl`; `roots`: the dumped `region-shares.jsonl`.

    `own`: JSON, {AGB: {figure: minutes}} or {AGB: {YYYY-MM: {figure: minutes}}}. UsageError: a file that is neither.
    """
    lines = [one for one in statements_in(statements) if isinstance(one, FairShareStated)]
    if not lines:
        raise UsageError(f"found no statement in {statements}, expected a dumped out.fair-share topic")
    published = {
        (one.region, one.month): one.statement_root
        for one in (statements_in(roots) if roots else ())
        if isinstance(one, RegionSharesStated)
    }
    figures = _own_figures(own)
    return [
        check_statement(
            line,
            published.get((line.region, line.month)),
            figures.get((line.provider, line.month)) or figures.get((line.provider, "")),
        )
        for line in lines
    ]


def statements_in(path: Path) -> list[Statement]:
    """The statements in a dumped topic, each once. UsageError: a line that is no dumped record."""
    return [one for one in _records_in(path) if isinstance(one, Statement)]


def signed_roots_in(path: Path) -> dict[tuple[RegionCode, str], RootSigned]:
    """The last signature of each region and month in a dumped topic. UsageError: a line that is no dumped record."""
    return {(one.region, one.month): one for one in _records_in(path) if isinstance(one, RootSigned)}


def _records_in(path: Path) -> list[Any]:
    found: dict[bytes, Any] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            value = base64.b64decode(json.loads(line)["value_base64"] or "", validate=True)
            held = codec.decode(value)
        except Exception as problem:
            raise UsageError(
                f"{path}:{number}: found no record ({type(problem).__name__}), expected a line that `hub dump` wrote"
            ) from problem
        found.setdefault(value, held)
    return list(found.values())


def _own_figures(path: Path | None) -> dict[tuple[str, str], Mapping[str, int]]:
    if path is None:
        return {}
    try:
        told = json.loads(path.read_text("utf-8"))
        found: dict[tuple[str, str], Mapping[str, int]] = {}
        for provider, figures in msgspec.convert(told, dict[str, dict[str, Any]]).items():
            by_month = figures if all(isinstance(one, dict) for one in figures.values()) else {"": figures}
            for month, one in by_month.items():
                found[provider, month] = msgspec.convert(one, dict[str, int])
                if strange := sorted(set(one) - set(OWN_FIGURES)):
                    raise UsageError(f"{path}: found {strange[0]}, expected one of {', '.join(OWN_FIGURES)}")
    except (msgspec.ValidationError, ValueError) as problem:
        raise UsageError(f"{path}: expected {{AGB: {{figure: minutes}}}}; {problem}") from problem
    return found
