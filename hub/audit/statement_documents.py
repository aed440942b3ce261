"""Fair-share statements as documents that people read: HTML for the eye, CSV for a spreadsheet; Dutch or English.

A document holds what one reader was told of one region and month, and nothing else: it is made from the records on
that reader's own topic. These stand in the page as well, unseen, so that whoever holds the page alone can check it
(`check_document`): what is shown is what they say, they lead to one root, and that root is signed by the right key.
"""

import base64
import csv
import html
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from hub.audit.share_audit import check_statement, signed_roots_in, statements_in
from hub.contracts import codec
from hub.contracts.catalogue import REGION_SHARES, SIGNED_ROOTS
from hub.contracts.signing import is_signed, load_key, sign
from hub.domain.facts import FairShareStated, RegionSharesStated, RootSigned
from hub.domain.identifiers import RegionCode, TenantId
from hub.domain.words import StatementAudience
from hub.errors import UsageError

LANGUAGES: Final = ("nl", "en")

_Cell = Callable[[FairShareStated], str]


def _hours(minutes: int | None) -> str:
    if minutes is None:
        return ""
    sign_of, whole = "-" if minutes < 0 else "", abs(minutes)
    return f"{sign_of}{whole // 60}:{whole % 60:02d}"


def _permille(value: int | None) -> str:
    return "" if value is None else f"{value / 1000:.3f}"


COLUMNS: Final[tuple[tuple[str, str, _Cell], ...]] = (
    ("aanbieder (AGB)", "provider (AGB)", lambda s: s.provider),
    ("inzetbaar in loondienst Q (u)", "deployable employed Q (h)", lambda s: _hours(s.employed_minutes)),
    ("inzetbaar ZZP Q (u)", "deployable self-employed Q (h)", lambda s: _hours(s.self_employed_minutes)),
    ("geleverd 12 maanden V (u)", "delivered 12 months V (h)", lambda s: _hours(s.delivered_minutes_12m)),
    ("gewicht w", "weight w", lambda s: f"{float(Fraction(s.weight)):.4f}" if s.weight else ""),
    ("eigen cliënten B (u)", "own clients B (h)", lambda s: _hours(s.own_obligation_minutes)),
    ("ruimte U (u)", "spare U (h)", lambda s: _hours(s.spare_minutes)),
    ("meegenomen c (u)", "carry c (h)", lambda s: _hours(s.carry_before_minutes)),
    ("doel T (u)", "target T (h)", lambda s: _hours(s.target_minutes)),
    ("toegewezen A (u)", "allocated A (h)", lambda s: _hours(s.allocated_minutes)),
    ("waarvan aanvaard (u)", "of these accepted (h)", lambda s: _hours(s.accepted_minutes)),
    ("vervulling A/T", "fulfilment A/T", lambda s: _permille(s.fulfilment_permille)),
    ("plaats", "rank", lambda s: str(s.rank) if s.rank else ""),
    ("van", "of", lambda s: str(s.providers)),
    ("over na deze maand (u)", "carry after this month (h)", lambda s: _hours(s.carry_minutes)),
    (
        "vervalt na",
        "expires after",
        lambda s: ", ".join(f"{_hours(one.minutes)} {one.expires_after}" for one in s.carry),
    ),
    ("geleverd in loondienst (u)", "delivered employed (h)", lambda s: _hours(s.delivered_employed_minutes)),
    ("geleverd ZZP (u)", "delivered self-employed (h)", lambda s: _hours(s.delivered_self_employed_minutes)),
    ("verschil loondienst − ZZP", "gap employed − self-employed", lambda s: _permille(s.employment_gap_permille)),
    ("niet aangenomen", "not taken", lambda s: ", ".join(f"{one.reason} {one.count}" for one in s.declines)),
    (
        "afgewezen per PC4 (… = te weinig om te noemen)",
        "refused per PC4 (… = too few to be told)",
        lambda s: ", ".join(f"{one.pc4} {'…' if one.count is None else one.count}" for one in s.refusals),
    ),
    (
        "boven de richtlijn terwijl anderen de minimale zorg geven (u)",
        "above the guideline while others give minimal care (h)",
        lambda s: _hours(s.over_delivery_minutes),
    ),
    (
        "geleverd boven opgave (u)",
        "delivered above declared (h)",
        lambda s: _hours(s.delivered_above_declared_minutes),
    ),
    ("signaal", "signal", lambda s: "!" if s.flagged else ""),
)
"""Dutch heading, English heading, and the cell."""

TOTALS: Final[tuple[tuple[str, str, Callable[[FairShareStated], str]], ...]] = (
    ("ΣQ (u)", "ΣQ (h)", lambda s: _hours(s.deployable_total_minutes)),
    ("ΣV (u)", "ΣV (h)", lambda s: _hours(s.delivered_total_minutes_12m)),
    ("H, gevraagd door de wachtlijst (u)", "H, asked by the waiting list (h)", lambda s: _hours(s.pool_minutes)),
    ("waarvan niemand ruimte heeft (u)", "of which nobody has room for (h)", lambda s: _hours(s.unmet_minutes)),
    ("λ (minuten)", "λ (minutes)", lambda s: s.level or ""),
)

_WORDS: Final = {
    "nl": {
        "title": "Gelijke inspanning", "month": "maand", "for": "voor", "root": "Wortel van alle overzichten",
        "signed": "Ondertekend", "key": "openbare sleutel", "unsigned": "niet ondertekend",
        "hidden": "Regiototalen worden niet getoond: er zou een concurrent uit volgen.",
        "flag": "Een signaal is een vraag aan mensen, nooit een sanctie.",
        "check": "Narekenen: hub statements verify",
        StatementAudience.PROVIDER: "aanbieder", StatementAudience.INSURER: "zorgverzekeraar",
        StatementAudience.COORDINATOR: "regio",
    },
    "en": {
        "title": "Fair share", "month": "month", "for": "for", "root": "Root of all statements",
        "signed": "Signed", "key": "public key", "unsigned": "not signed",
        "hidden": "Region totals are not shown: a competitor's figure would follow.",
        "flag": "A signal is a question to people, never a sanction.",
        "check": "Check it: hub statements verify",
        StatementAudience.PROVIDER: "provider", StatementAudience.INSURER: "insurer",
        StatementAudience.COORDINATOR: "region",
    },
}  # fmt: skip


def render_dump(dump: Path, out: Path, language: str = "nl", key_file: Path | None = None) -> list[Path]:
    """One HTML and one CSV per reader, region and month of a dump; returns the files.

    Each document carries the signature under its root: the one in the dump's `signed-roots`, or one by the key given
    here. UsageError: no statements in the dump, no key in the file, or another language than `LANGUAGES`.
    """
    if language not in LANGUAGES:
        raise UsageError(f"found language {language!r}, expected one of {', '.join(LANGUAGES)}")
    topics = dump / "topics"
    signed = _signed_in(topics, key_file)
    groups: dict[tuple[TenantId, RegionCode, str], list[FairShareStated]] = {}
    for path in sorted(topics.glob("out.fair-share.*.jsonl")):
        for one in statements_in(path):
            if isinstance(one, FairShareStated):
                groups.setdefault((one.recipient, one.region, one.month), []).append(one)
    if not groups:
        raise UsageError(f"found no statements in {topics}, expected out.fair-share topics with a closed month")
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for (recipient, region, month), lines in sorted(groups.items()):
        lines.sort(key=lambda line: line.provider)
        of_month = signed.get((region, month))
        stem = f"{recipient}.{region}.{month}.{language}"
        for suffix, text in (("html", as_html(lines, language, of_month)), ("csv", as_csv(lines, language))):
            path = out / f"{stem}.{suffix}"
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


def _signed_in(topics: Path, key_file: Path | None) -> dict[tuple[RegionCode, str], RootSigned]:
    shared, told = topics / f"{REGION_SHARES}.jsonl", topics / f"{SIGNED_ROOTS}.jsonl"
    if key_file is None:
        return signed_roots_in(told) if told.exists() else {}
    key = load_key(key_file)
    stated = [one for one in (statements_in(shared) if shared.exists() else ()) if isinstance(one, RegionSharesStated)]
    return {(one.region, one.month): sign(one, key) for one in stated}


def as_csv(lines: Sequence[FairShareStated], language: str) -> str:
    """One row for each provider, semicolons between (as Dutch spreadsheets expect), totals in the last columns."""
    into = io.StringIO()
    writer = csv.writer(into, delimiter=";", lineterminator="\n")
    headings = [_heading(column, language) for column in (*COLUMNS, *TOTALS)]
    writer.writerow([_WORDS[language]["month"], *headings, _WORDS[language]["root"]])
    for line in lines:
        row = [line.month, *(c[2](line) for c in COLUMNS), *(c[2](line) for c in TOTALS), line.statement_root]
        writer.writerow(row)
    return into.getvalue()


def as_html(lines: Sequence[FairShareStated], language: str, signed: RootSigned | None = None) -> str:
    """One page; figures stand in rows and providers in columns where one line is shown, else the other way round."""
    words, first = _WORDS[language], lines[0]
    told = f"{words['for']} {words[first.audience]} {first.recipient}"
    parts = [
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">',
        f"<title>{words['title']} {html.escape(first.region)} {first.month}</title><style>{_STYLE}</style>",
        f"<h1>{words['title']}, {html.escape(first.region)}, {words['month']} {first.month}</h1>",
        f"<p>{html.escape(told)}</p><table><thead><tr>",
        *(f"<th scope=col>{html.escape(_heading(column, language))}</th>" for column in COLUMNS),
        "</tr></thead><tbody>",
    ]
    for line in lines:
        parts.append("<tr>" + "".join(f"<td>{html.escape(column[2](line))}</td>" for column in COLUMNS) + "</tr>")
    parts.append("</tbody></table>")
    if first.level is None:
        parts.append(f"<p>{words['hidden']}</p>")
    else:
        totals = ((_heading(column, language), column[2](first)) for column in TOTALS)
        parts.append(
            "<dl>" + "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in totals) + "</dl>"
        )
    parts.append(f"<p>{words['flag']} {words['check']}.</p>")
    parts.append(f"<p class=root>{words['root']}: <code>{first.statement_root}</code><br>")
    if signed is None:
        parts.append(f"{words['unsigned']}</p>")
    else:
        by = f"{words['key']} <code>{html.escape(signed.public_key)}</code>"
        parts.append(f"{words['signed']}: <code>{html.escape(signed.signature)}</code>, {by}</p>")
    records = [base64.b64encode(codec.encode(one)).decode() for one in (*lines, *((signed,) if signed else ()))]
    parts.append(f'<script type="application/json" id="records">{json.dumps(records)}</script>')
    return "\n".join(parts) + "</html>\n"


@dataclass(frozen=True, slots=True)
class DocumentVerdict:
    """What a reader found about a page; `faults` is empty where all is as it should be."""

    region: str
    month: str
    root: str
    lines: int
    faults: tuple[str, ...]


def check_document(page: Path, public_key: str, signed_roots: Path | None = None) -> DocumentVerdict:
    """A page held against its own records, their root, and the key that its reader was told by another way.

    `signed_roots`: the dumped topic that everybody reads; without it, the signature in the page is the one checked. A
    CSV of the same name beside the page is checked too. UsageError: no page of `hub statements render`.
    """
    text = page.read_text("utf-8", errors="replace")
    lines, in_page, language = _records_of(page, text)
    first = lines[0]
    faults = []
    if text != as_html(lines, language, in_page):
        faults.append("page: it does not show what its records say")
    table = page.with_suffix(".csv")
    if table.exists() and table.read_text("utf-8", errors="replace") != as_csv(lines, language):
        faults.append(f"{table.name}: it does not show what the records of the page say")
    for line in lines:
        if (line.region, line.month, line.statement_root) != (first.region, first.month, first.statement_root):
            faults.append(f"{line.provider}: a line of another region, month or root than the first")
        faults += [f"{line.provider} {one}" for one in check_statement(line).disagreements]
    signed = in_page if signed_roots is None else signed_roots_in(signed_roots).get((first.region, first.month))
    if signed is None:
        faults.append(f"signature: found none for {first.region} {first.month}")
    elif (signed.region, signed.month, signed.statement_root) != (first.region, first.month, first.statement_root):
        faults.append(f"root: found {first.statement_root}, signed is {signed.statement_root} of {signed.month}")
    elif not is_signed(signed, public_key):
        faults.append(f"signature: not by the key {public_key}")
    return DocumentVerdict(first.region, first.month, first.statement_root, len(lines), tuple(faults))


_RECORDS: Final = re.compile(r'<script type="application/json" id="records">(.*?)</script>', re.DOTALL)
_LANGUAGE: Final = re.compile(r'^<!doctype html><html lang="(nl|en)">')


def _records_of(page: Path, text: str) -> tuple[list[FairShareStated], RootSigned | None, str]:
    found, language = _RECORDS.findall(text), _LANGUAGE.match(text)
    try:
        held = [codec.decode(base64.b64decode(one, validate=True)) for one in json.loads(found[0])]
    except Exception as problem:
        raise UsageError(
            f"{page}: found no records ({type(problem).__name__}), expected an HTML page of `hub statements render`"
        ) from problem
    lines = [one for one in held if isinstance(one, FairShareStated)]
    if not lines or language is None:
        raise UsageError(f"{page}: found no statement, expected an HTML page of `hub statements render`")
    signed = [one for one in held if isinstance(one, RootSigned)]
    return lines, signed[0] if signed else None, language[1]


def _heading(column: tuple[str, str, _Cell], language: str) -> str:
    return column[0] if language == "nl" else column[1]


_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem}table{border-collapse:collapse;display:block;overflow-x:auto}"
    "th,td{border:1px solid #bbb;padding:.3rem .5rem;text-align:right;vertical-align:bottom}"
    "th:first-child,td:first-child{text-align:left}dl{display:grid;grid-template-columns:max-content auto;gap:0 1rem}"
    "code{overflow-wrap:anywhere}"
)
