"""What a sender types, with its own password: `hub send`, `hub trace` and `hub dlq …`. The work is in hub/repair."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from hub.cli.output import Json
from hub.errors import UsageError

if TYPE_CHECKING:
    from hub.repair.cases import Case, Receipt
    from hub.repair.desk import Desk

PANEL: Final = "For senders: packages, insurers, tools"
app = typer.Typer()
dlq_app = typer.Typer(
    no_args_is_help=True,
    help="Messages that the hub did not take: find, understand, mend, send again, see it go through.",
)
app.add_typer(dlq_app, name="dlq", rich_help_panel=PANEL)

TenantName = Annotated[
    str | None,
    typer.Option("--tenant", help="Whose messages; may be left out if HUB_CREDENTIALS_FILE names one alone."),
]
Names = Annotated[list[str] | None, typer.Argument(help="Numbers of messages, as `hub dlq list` shows them.")]
Code = Annotated[str | None, typer.Option(help="Only messages with this code; without numbers: all of them.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", help="POINTER=VALUE, as in /pc4=3511; may be repeated. `null` leaves it out."),
]
Wait = Annotated[float, typer.Option(help="Seconds to wait for a receipt.", min=1)]


class Way(StrEnum):
    """By which way a file is sent."""

    KAFKA = "kafka"


@app.command(epilog="Example: hub send messages.jsonl --follow", rich_help_panel=PANEL)
def send(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help='JSON: {"type": …, fields}, one a line or a list.')
    ],
    via: Annotated[Way, typer.Option(help="By which way.")] = Way.KAFKA,
    follow: Annotated[
        bool, typer.Option("--follow", help="Wait for every receipt, and show what was not taken.")
    ] = False,
    tenant: TenantName = None,
    wait: Wait = 60.0,
    as_json: Json = False,
) -> None:
    """Encode the messages of a file and put them in the tenant's inbox. All are checked before the first is sent."""
    from hub.contracts.codec import encode
    from hub.repair.cases import VIA
    from hub.repair.written import faults_here, read_file, sentence

    desk = _desk(tenant)
    if not (events := list(read_file(file))):
        raise UsageError(f"{file} holds no message, expected JSON with one event a line; nothing was sent")
    if faulty := [(number, fault) for number, one in enumerate(events, 1) for fault in faults_here(one, desk.tenant)]:
        lines = [f"message {number}: {sentence(fault.code, fault.pointer)}" for number, fault in faulty[:20]]
        raise UsageError("nothing was sent:\n" + "\n".join(lines))
    start = desk.end_of_receipts()
    placed = desk.send((_key(event), encode(event), {VIA: f"send/{via}"}) for event in events)
    result: dict[str, Any] = {"inbox": desk.inbox, "sent": len(placed), "first": min(placed, default=None)}
    receipts = _follow(desk, placed, start, wait) if follow else {}
    _conclude(result, receipts, as_json)


@app.command(epilog="Example: hub trace reg-0001 --tenant pkg-alfa", rich_help_panel=PANEL)
def trace(
    record: Annotated[str, typer.Argument(help="Id of a record, or a message as inbox.<tenant>/<number>.")],
    tenant: TenantName = None,
    dump: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="For auditors: through a folder of `hub dump`.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show everything that happened to a record: what was sent, each receipt, and every fact that names it."""
    from dataclasses import asdict

    from hub.audit.trace import trace_dump
    from hub.repair.trace import trace as trace_own
    from hub.repair.written import shorten

    if dump is not None:
        steps = [asdict(step) for step in trace_dump(dump, record)]
        lines = [f"{s['at']}  {s['place']}  {s['type']} {s['region']}  ({s['because']})" for s in steps]
    else:
        moments = trace_own(_desk(tenant), record)
        steps = [{"at": m.at, "place": m.place, "what": m.what, "told": shorten(m.told)} for m in moments]
        lines = [
            "\n".join(
                [f"{s['at']}  {s['place']}  {s['what']}", *(f"    {n}: {_flat(v)}" for n, v in s["told"].items())]
            )
            for s in steps
        ]
    if as_json:
        typer.echo(json.dumps({"record": record, "steps": steps}, ensure_ascii=False))
    else:
        typer.echo("\n".join(lines) or f"nothing is known of {record} here; check the id, and whose record it is")
    raise SystemExit(0 if steps else 1)


@dlq_app.command("list", epilog="Example: hub dlq list --tenant pkg-alfa")
def list_cases(
    tenant: TenantName = None,
    code: Code = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what was mended or dropped since.")] = False,
    as_json: Json = False,
) -> None:
    """List the messages that were not taken, oldest first: refused, unreadable, in conflict or stale."""
    from hub.repair.cases import State

    desk = _desk(tenant)
    found = [
        case
        for case in desk.cases()[0]
        if (everything or case.state is State.OPEN) and code in (None, case.receipt.fact.code)
    ]
    if as_json:
        typer.echo(json.dumps({"inbox": desk.inbox, "cases": [_row(case) for case in found]}, ensure_ascii=False))
        return
    for case in found:
        row = _row(case)
        what = f"{row['type'] or 'unreadable bytes'} {row['record_id'] or ''}".strip()
        version = f" v{row['version']}" if row["version"] is not None else ""
        settled = f" by #{case.settled_by}" if case.settled_by is not None else ""
        typer.echo(
            f"#{case.offset:<6} {row['at']}  {row['code']} {row['pointer']}  {what}{version}  {case.state}{settled}"
        )
    nothing = "everything was taken" if code is None else f"none is open with code {code}"
    hint = "`hub dlq show NUMBER` says why and what to do" if found else nothing
    typer.echo(f"{len(found)} message(s) of {desk.inbox}; {hint}")


@dlq_app.command("show", epilog="Example: hub dlq show 17")
def show(
    number: Annotated[str, typer.Argument(help="Number of a message, as `hub dlq list` shows it.")],
    tenant: TenantName = None,
    as_json: Json = False,
) -> None:
    """Show one message: what was sent, why it was not taken, in plain words, and what to do."""
    from hub.repair.cases import readable
    from hub.repair.diagnosis import SHOWN_BYTES, diagnose
    from hub.repair.written import shorten, write

    case, _ = _desk(tenant).case(number)
    fact, value = case.receipt.fact, case.sent.value if case.sent is not None else None
    event = readable(value)
    row = _row(case) | {
        "why": {"nl": fact.message_nl, "en": fact.message_en},
        "findings": list(diagnose(value)) if case.sent is not None else ["The inbox does not keep the bytes any more."],
        "content": None if event is None else write(event),
        "bytes": None if value is None else len(value),
        "begins": None if value is None or event is not None else value[:SHOWN_BYTES].hex(" "),
        "via": case.sent.headers.get("via", b"").decode(errors="replace") if case.sent is not None else "",
    }
    if as_json:
        typer.echo(json.dumps(row, ensure_ascii=False))
        return
    typer.echo(f"#{case.offset} of {row['inbox']}, sent {row['at']}, {case.state}")
    typer.echo(f"{fact.outcome}: {fact.code} {fact.pointer}\n  {fact.message_nl}\n  {fact.message_en}")
    for finding in row["findings"]:
        typer.echo(f"  {finding}")
    if event is not None:
        for name, held in shorten(row["content"]).items():
            mark = "→" if fact.pointer.split("/")[1:2] == [name] else " "
            typer.echo(f"{mark} {name}: {_flat(held)}")
        mend = f"--set {fact.pointer}=VALUE" if fact.pointer else "--set /FIELD=VALUE, which raises the version too"
        typer.echo(f"mend it: hub dlq redrive {case.offset} {mend}")
    elif row["begins"]:
        typer.echo(f"  {row['bytes']} bytes, beginning {row['begins']}")
        typer.echo("send it anew from where it came from, or put it aside: hub dlq drop " + str(case.offset))


@dlq_app.command("fix", epilog="Example: hub dlq fix 17 --set /pc4=3511 --out mended.json")
def fix(
    number: Annotated[str, typer.Argument(help="Number of a message, as `hub dlq list` shows it.")],
    change: Changes = None,
    out: Annotated[Path | None, typer.Option(help="Write the mended message here; else it is printed.")] = None,
    tenant: TenantName = None,
) -> None:
    """Mend a message without sending it: set fields, and give it a version above every one sent before."""
    from hub.repair.mend import mended
    from hub.repair.written import write

    desk = _desk(tenant)
    case, receipts = desk.case(number)
    event = mended(case, receipts, _changes(change), desk.tenant)
    text = json.dumps(write(event), ensure_ascii=False)
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text + "\n", "utf-8")
        typer.echo(f"{out}: look at it, then `hub dlq redrive {case.offset} --from {out}`")


@dlq_app.command("redrive", epilog="Example: hub dlq redrive 17 --set /pc4=3511")
def redrive(
    number: Names = None,
    change: Changes = None,
    source: Annotated[
        Path | None, typer.Option("--from", exists=True, dir_okay=False, help="The mended message, from `hub dlq fix`.")
    ] = None,
    code: Code = None,
    again: Annotated[bool, typer.Option("--again", help="Also what was mended or dropped since.")] = False,
    tenant: TenantName = None,
    wait: Wait = 60.0,
    as_json: Json = False,
) -> None:
    """Send messages again, mended or as they are (after a mandate was granted, say), and follow them to their receipts.

    Safe to repeat: what was mended meanwhile is left alone, and the hub takes no version twice.
    """
    from hub.repair.cases import State
    from hub.repair.mend import Again, unchanged, with_changes

    desk = _desk(tenant)
    chosen, receipts = _chosen(desk, number, code)
    if len(chosen) > 1 and (change or source):
        raise UsageError("one message at a time is mended; without --set and --from many can be sent again as they are")
    ready: list[Again] = []
    left_alone: list[int] = []
    for case in chosen:
        if case.state is not State.OPEN and not again:
            left_alone.append(case.offset)
        elif change or source:
            ready.append(with_changes(case, receipts, _changes(change), source, desk))
        else:
            ready.append(unchanged(case, desk))
    start = desk.end_of_receipts()
    placed = desk.send((one.key, one.value, one.headers) for one in ready)
    heard = _follow(desk, placed, start, wait) if placed else {}
    result = {"inbox": desk.inbox, "sent": len(placed), "left_alone": left_alone}
    result["stands_for"] = {str(new): one.offset for new, one in zip(placed, ready, strict=True)}
    _conclude(result, heard, as_json)


@dlq_app.command("drop", epilog="Example: hub dlq drop 17 18")
def drop(
    number: Names = None,
    code: Code = None,
    tenant: TenantName = None,
    as_json: Json = False,
) -> None:
    """Put messages aside: they are listed no more, for nobody of the tenant. Nothing is deleted, nor sent."""
    desk = _desk(tenant)
    chosen, _ = _chosen(desk, number, code)
    desk.drop([case.offset for case in chosen])
    _say({"inbox": desk.inbox, "dropped": [case.offset for case in chosen]}, as_json)


def _desk(tenant: str | None) -> "Desk":
    from hub.repair.desk import Desk
    from hub.settings import Settings

    return Desk.of(Settings(), tenant)


def _chosen(desk: "Desk", numbers: Sequence[str] | None, code: str | None) -> tuple[list["Case"], list["Receipt"]]:
    """The cases that are named, or the open ones of a code."""
    from hub.repair.cases import State, offset_of

    if not numbers and code is None:
        raise UsageError("which messages? Give their numbers, or --code; see `hub dlq list`")
    found, receipts = desk.cases()
    if not numbers:
        return [case for case in found if case.receipt.fact.code == code and case.state is State.OPEN], receipts
    known = {case.offset: case for case in found if code in (None, case.receipt.fact.code)}
    asked = list(dict.fromkeys(offset_of(name, desk.inbox) for name in numbers))
    if strange := [offset for offset in asked if offset not in known]:
        raise UsageError(f"{desk.inbox}/{strange[0]} is no message that was not taken; see `hub dlq list --all`")
    return [known[offset] for offset in asked], receipts


def _changes(written: Sequence[str] | None) -> list[tuple[str, str]]:
    changes = []
    for one in written or ():
        pointer, equals, value = one.partition("=")
        if not equals:
            raise UsageError(f"found --set {one!r}, expected POINTER=VALUE as in /pc4=3511")
        changes.append((pointer, value))
    return changes


def _key(event: Any) -> bytes:
    return str(getattr(event, "record_id", None) or event.date.isoformat()).encode()


def _row(case: "Case") -> dict[str, Any]:
    from datetime import UTC, datetime

    from hub.contracts.catalogue import inbox

    fact = case.receipt.fact
    moment = case.sent.appended_ms if case.sent is not None else case.receipt.issued_ms
    return {
        "number": case.offset,
        "inbox": inbox(fact.recipient),
        "at": datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="seconds"),
        "outcome": str(fact.outcome),
        "code": fact.code,
        "pointer": fact.pointer,
        "type": fact.record_type,
        "record_id": fact.record_id,
        "version": fact.version,
        "region": case.receipt.region,
        "state": str(case.state),
        "settled_by": case.settled_by,
    }


def _follow(desk: "Desk", placed: Sequence[int], start: int, wait: float) -> dict[int, "Receipt"]:
    with _bar(len(placed)) as heard:
        return desk.follow(placed, start, wait, lambda receipt: heard())


@contextmanager
def _bar(whole: int) -> Iterator[Callable[[], None]]:
    """A bar while a person waits for many receipts."""
    if whole < 2 or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("receipts", total=whole)
        yield lambda: bars.advance(task)


def _conclude(result: dict[str, Any], receipts: dict[int, "Receipt"], as_json: bool) -> None:
    """Say what came of it; exit 1 if anything was not taken."""
    from collections import Counter

    from hub.repair.written import sentence

    if receipts:
        result["outcomes"] = dict(sorted(Counter(str(one.fact.outcome) for one in receipts.values()).items()))
        result["receipts"] = [
            {"number": offset, "outcome": str(one.fact.outcome), "code": one.fact.code, "pointer": one.fact.pointer}
            for offset, one in sorted(receipts.items())
        ]
    if not as_json:
        for offset, one in sorted(receipts.items()):
            if not one.taken or len(receipts) <= 20:
                typer.echo(f"#{offset}: {one.fact.outcome}, {sentence(one.fact.code, one.fact.pointer)}")
        result.pop("receipts", None)
    _say(result, as_json)
    raise SystemExit(0 if all(one.taken for one in receipts.values()) else 1)


def _say(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
    else:
        typer.echo(", ".join(f"{name} {_flat(value)}" for name, value in result.items() if value not in (None, [], {})))


def _flat(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
