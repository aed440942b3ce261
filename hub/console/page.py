"""The page and its parts as HTML. The live stream sends the same parts, so there is one way to draw each thing."""

from hub.console.board import Board, ColourChange, Day, Worker, WorkerState, differs
from hub.console.markup import Html, element, join
from hub.console.words import (
    ALERT,
    CAUSE,
    COMPUTED,
    DECLARED,
    MEDIATOR,
    OUTCOME,
    PROPOSED,
    SEVERITY,
    STATE,
    Language,
    reason,
    say,
    text,
)
from hub.domain.facts import AlertChanged, MonthFigures, RegionStatusChanged
from hub.domain.identifiers import NATIONAL
from hub.domain.words import AlertState, ComputedColour, DeclaredColour

_PROPOSAL = "PROPOSAL: "
_SHAPE = {
    ComputedColour.UNKNOWN: "?",
    ComputedColour.GREEN: "●",
    ComputedColour.ORANGE_THREAT: "△",
    ComputedColour.ORANGE: "▲",
    ComputedColour.RED_THREAT: "◇",
    ComputedColour.RED_A: "◆",
    ComputedColour.RED_B: "◆",
    DeclaredColour.GREEN: "●",
    DeclaredColour.ORANGE: "▲",
    DeclaredColour.RED: "◆",
}
"""A shape beside each colour: who cannot tell red from green can tell these."""

TIMELINE_MAX = 8
"""Changes of one region that are shown; the whole history is in its status facts."""
_BAR_WIDTH, _BAR_GAP, _BAR_HEIGHT = 14, 4, 28


def document(board: Board, language: Language) -> Html:
    """The whole page."""
    other = Language.EN if language is Language.NL else Language.NL
    head = element(
        "header",
        element("a", text("skip", language), href="#alerts", class_="skip"),
        element("h1", text("title", language)),
        day(board, language),
        element("p", text("connecting", language), id="connection", class_="connection", role="status"),
        element(
            "a",
            text("other_language", language),
            href=f"/?lang={other}",
            lang=other.value,
            hreflang=other.value,
            class_="language",
        ),
    )
    main = element(
        "main",
        summary(board, language),
        element("noscript", element("p", text("no_script", language), class_="notice")),
        notice(board, language),
        alerts(board, language),
        regions(board, language),
        history(board, language),
        workers(board, language),
    )
    foot = element("footer", element("p", text("no_clients", language)))
    body = element(
        "body",
        head,
        main,
        foot,
        element("p", "", id="announcer", class_="unseen", aria_live="polite"),
        data_live=f"/live?lang={language}&from={board.live_id}",
        data_connected=text("connected", language),
        data_lost=text("lost", language),
    )
    return _shell(body, language)


def unavailable(language: Language) -> Html:
    """What a person sees while the read model does not answer."""
    body = element(
        "body",
        element("header", element("h1", text("title", language))),
        element(
            "main",
            element(
                "section",
                element("h2", text("unavailable", language)),
                element("p", text("unavailable_help", language)),
                class_="empty",
                role="alert",
            ),
        ),
    )
    return _shell(body, language)


def _shell(body: Html, language: Language) -> Html:
    page = element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("title", text("title", language)),
            element("link", rel="icon", href="/static/icon.svg", type="image/svg+xml"),
            element("link", rel="stylesheet", href="/static/console.css"),
            element("script", "", src="/static/console.js", defer="defer"),
        ),
        body,
        lang=language.value,
    )
    return Html("<!doctype html>\n" + page)


def day(board: Board, language: Language) -> Html:
    """Until which day the hub has worked."""
    told = [f"{text('day', language)} ", _day(board.day.isoformat())] if board.day else []
    return element("p", told, id="day", class_="day")


def summary(board: Board, language: Language) -> Html:
    """How many regions have which colour, and how many alerts are open, in one line."""
    tiles = [
        element("li", element("strong", str(count)), " ", text(word, language), class_=f"tile {word}")
        for word, count in board.counts.items()
        if count or word in ("red", "orange", "green")
    ]
    tiles.append(
        element("li", element("strong", str(len(board.urgent))), " ", text("open_alerts", language), class_="tile")
    )
    return element("ul", tiles, id="summary", class_="summary")


def notice(board: Board, language: Language) -> Html:
    """A line that says what could not be shown; nothing where all could."""
    found = f"{board.unreadable} {text('unreadable', language)}" if board.unreadable else ""
    return element("div", element("p", found, class_="notice", role="alert") if found else "", id="notice")


def alerts(board: Board, language: Language) -> Html:
    """What asks for a person now, most severe first, each with its next step."""
    items = [_alert(alert, language) for alert in board.urgent]
    return element(
        "section",
        element("h2", text("now", language), id="alerts-title"),
        element("ol", items, class_="alerts") if items else element("p", text("no_alerts", language), class_="calm"),
        id="alerts",
        aria_labelledby="alerts-title",
        tabindex="-1",
    )


def _alert(alert: AlertChanged, language: Language) -> Html:
    nl = language is Language.NL
    step = alert.next_step_nl if nl else alert.next_step_en
    what, affected = (alert.what_nl, alert.affected_nl) if nl else (alert.what_en, alert.affected_en)
    facts = [
        element("span", say(SEVERITY[alert.severity], language), class_="severity"),
        element("a", alert.region, class_="code", href=f"#region-{alert.region}")
        if alert.region != NATIONAL
        else element("span", alert.region, class_="code"),
        element("span", say(STATE[alert.state], language), class_=f"state {alert.state}"),
        element("span", f"{text('since', language)} ", _day(alert.since.isoformat())),
    ]
    # An alert about its whole region repeats the code as its subject.
    subject = [f"{text('subject', language)}: {alert.subject} · "] if alert.subject not in ("", alert.region) else []
    return element(
        "li",
        element("p", facts, class_="meta"),
        element("h3", say(ALERT[alert.kind], language)),
        element("p", what, class_="what") if what else "",
        element("p", element("strong", f"{text('next_step', language)}: "), step, class_="step"),
        element("p", f"{text('affected', language)}: {affected}", class_="affected") if affected else "",
        element(
            "p",
            subject,
            f"{text('mediator', language)}: {say(MEDIATOR[alert.mediator], language)} · ",
            f"{text('clause', language)}: {_clause(alert.clause, language)} · ",
            f"{text('alert_id', language)}: ",
            element("code", alert.alert_id),  # by which whoever takes it up names it
            class_="source",
        ),
        class_=f"alert {alert.severity}",
    )


def regions(board: Board, language: Language) -> Html:
    """Every region in the order of its code, so that nothing moves while somebody reads."""
    title = element("h2", text("regions", language), id="regions-title")
    if not board.regions:
        return element("section", title, element("p", text("no_regions", language), class_="empty"), id="regions")
    columns = [element("th", text(name, language), scope="col") for name in ("region", "computed", "declared")]
    columns.append(
        element("th", text("outlook", language), element("small", text("outlook_note", language)), scope="col")
    )
    columns += [element("th", text(name, language), scope="col") for name in ("waitlist", "mediator")]
    table = element(
        "table",
        element("caption", text("regions_caption", language), class_="unseen"),
        element("thead", element("tr", columns)),
        [region(status, board.days.get(status.region), language) for status in board.regions],
        class_="regions",
    )
    return element(
        "section", title, element("div", table, class_="wide"), id="regions", aria_labelledby="regions-title"
    )


def region(status: RegionStatusChanged, closed: Day | None, language: Language) -> Html:
    """A body of two rows: both colours side by side with the outlook, and below it why, on demand."""
    declared = (
        element("span", text("not_declared", language), class_="absent")
        if status.declared is None
        else _chip(status.declared, say(DECLARED[status.declared], language))
    )
    mark = [element("span", text("differs", language), class_="differs")] if differs(status) else []
    computed = join(
        _chip(status.computed, say(COMPUTED[status.computed], language)),
        element("small", f"{text('since', language)} ", _day(status.computed_since.isoformat())),
    )
    cells = (
        ("computed", computed),
        ("declared", join(declared, mark)),
        ("outlook", _outlook(status.months, language)),
        ("waitlist", _waiting(closed, language)),
        ("mediator", say(MEDIATOR[status.mediator], language)),
    )
    return element(
        "tbody",
        element(
            "tr",
            element("th", status.region, scope="row", class_="code"),
            # On a narrow screen each cell stands on a line of its own and needs its name beside it.
            [element("td", element("div", cell), data_label=text(name, language)) for name, cell in cells],
        ),
        element("tr", element("td", _why(status, language), colspan=len(cells) + 1), class_="why"),
        id=f"region-{status.region}",
    )


def _waiting(closed: Day | None, language: Language) -> Html:
    if closed is None:
        return element("span", "–", class_="absent")
    proposals = "open_proposal" if closed.open_proposals == 1 else "open_proposals"
    return join(
        f"{_grouped(closed.waiting, language)} {text('waiting', language)}",
        element("small", f"{_grouped(closed.open_proposals, language)} {text(proposals, language)}"),
    )


def _why(status: RegionStatusChanged, language: Language) -> Html:
    plan = (
        text("no_plan", language)
        if status.plan_version is None
        else f"{text('plan_version', language)} {status.plan_version}"
    )
    lines = (
        ("why", "; ".join(reason(code, language) for code in status.reasons) or "–"),
        ("cause", _cause(status.caused_by, language)),
        ("clauses", ", ".join(_clause(clause, language) for clause in status.clauses) or "–"),
        ("measures", ", ".join(status.measures) or text("none_recorded", language)),
        ("plan", plan),
    )
    terms = [join(element("dt", text(name, language)), element("dd", value)) for name, value in lines]
    return element(
        "details",
        element(
            "summary",
            text("details", language),
            element("span", f" {status.region}", class_="unseen"),
        ),
        element("dl", terms),
        _months(status.months, language),
    )


def _months(months: tuple[MonthFigures, ...], language: Language) -> Html:
    if not months:
        return element("p", text("no_months", language))
    names = ("month", "shortfall_mean", "shortfall_minimum", "demand", "deployable")
    rows = [
        element(
            "tr",
            element("th", month.month, scope="row"),
            element("td", _chance(month.shortfall_mean_permille, month, language)),
            element("td", _chance(month.shortfall_minimum_permille, month, language)),
            element("td", _hours_told(month.demand_mean_minutes, month.demand_told, language)),
            element(
                "td",
                text("unknown", language)
                if month.unknown
                else _hours_told(month.deployable_minutes, month.deployable_told, language),
            ),
        )
        for month in months
    ]
    head = element("tr", [element("th", text(name, language), scope="col") for name in names])
    return element("table", element("thead", head), element("tbody", rows), class_="months")


def _outlook(months: tuple[MonthFigures, ...], language: Language) -> Html:
    """A bar a month; the same figures stand in words for who cannot see them."""
    if not months:
        return element("span", text("no_months", language), class_="absent")
    bars = [
        element(
            "rect",
            x=index * (_BAR_WIDTH + _BAR_GAP),
            y=_BAR_HEIGHT - _bar(month),
            width=_BAR_WIDTH,
            height=_bar(month),
            class_="unknown" if month.unknown else "bar",
        )
        for index, month in enumerate(months)
    ]
    figures = ", ".join(f"{month.month} {_chance(month.shortfall_mean_permille, month, language)}" for month in months)
    width = len(months) * (_BAR_WIDTH + _BAR_GAP)
    worst = max(months, key=lambda month: month.shortfall_mean_permille)
    return join(
        element(
            "svg",
            bars,
            viewBox=f"0 0 {width} {_BAR_HEIGHT}",
            width=width,
            height=_BAR_HEIGHT,
            role="img",
            aria_label=f"{text('outlook', language)}: {figures}",
        ),
        element("small", f"max. {_chance(worst.shortfall_mean_permille, worst, language)} · {worst.month}"),
    )


def _bar(month: MonthFigures) -> int:
    """Height in pixels; never nothing, so that a month without risk is still seen to be there."""
    return _BAR_HEIGHT if month.unknown else max(2, month.shortfall_mean_permille * _BAR_HEIGHT // 1000)


def history(board: Board, language: Language) -> Html:
    """How each colour came about, and which alerts are over: what a person asks who was not there."""
    title = element("h2", text("history", language), id="history-title")
    told = [_timeline(status.region, board.changes_of(status.region), language) for status in board.regions]
    timelines = element("dl", [line for line in told if line], class_="timelines")
    over = [_closed(alert, language) for alert in board.closed]
    head = [element("th", text(name, language), scope="col") for name in ("region", "closed_alert", "since", "clause")]
    table = element(
        "table",
        element("caption", text("closed_caption", language)),
        element("thead", element("tr", head)),
        element("tbody", over),
    )
    return element(
        "section",
        title,
        timelines if any(told) else element("p", text("no_history", language), class_="empty"),
        element("div", table, class_="wide closed") if over else "",
        id="history",
        aria_labelledby="history-title",
    )


def _timeline(region: str, changes: tuple[ColourChange, ...], language: Language) -> Html | str:
    """Newest first, on one line: colour, since when, why."""
    if not changes:
        return ""
    steps = [
        element(
            "li",
            _chip(change.computed, say(COMPUTED[change.computed], language)),
            element("small", _day(change.day.isoformat()), f" · {reason(change.reason, language)}"),
            element("small", f"{_clause(change.clause, language)} · {_cause(change.caused_by, language)}"),
        )
        for change in changes[:TIMELINE_MAX]
    ]
    return join(element("dt", region, class_="code"), element("dd", element("ol", steps, class_="timeline")))


def _closed(alert: AlertChanged, language: Language) -> Html:
    subject = "" if alert.subject in ("", alert.region) else f" · {alert.subject}"
    return element(
        "tr",
        element("th", alert.region, scope="row", class_="code"),
        element("td", f"{say(ALERT[alert.kind], language)}{subject}"),
        element("td", _day(alert.since.isoformat())),
        element("td", _clause(alert.clause, language)),
    )


def _clause(clause: str, language: Language) -> str:
    """A clause as the reader's language writes it; sources keep their names."""
    if language is Language.EN:
        return clause
    if (ours := clause.removeprefix(_PROPOSAL)) != clause:
        return f"voorstel: {say(PROPOSED[ours], language) if ours in PROPOSED else ours}"
    return clause.replace("rule ", "regel ")


def _cause(kind: str, language: Language) -> str:
    """What happened before the region was judged; a type that this console does not know yet is shown as it is."""
    return say(CAUSE[kind], language) if kind in CAUSE else kind or "–"


def workers(board: Board, language: Language) -> Html:
    """Who does the work, and whether they do."""
    title = element("h2", text("health", language), id="health-title")
    told = [
        element("li", element("strong", _grouped(count, language)), " ", say(OUTCOME[outcome], language), class_="tile")
        for outcome, count in board.receipts.items()
    ]
    receipts = element("ul", told, class_="summary", aria_label=text("receipts", language)) if told else ""
    if not board.workers:
        return element(
            "section", title, receipts, element("p", text("no_workers", language), class_="empty"), id="health"
        )
    head = [element("th", text(name, language), scope="col") for name in ("worker", "worker_state", "behind")]
    rows = [_worker(worker, language) for worker in board.workers]
    table = element("table", element("thead", element("tr", head)), element("tbody", rows))
    return element(
        "section", title, receipts, element("div", table, class_="wide"), id="health", aria_labelledby="health-title"
    )


def _worker(worker: Worker, language: Language) -> Html:
    well = worker.state is WorkerState.RUNNING and not worker.stopped_regions
    state = element("span", text(worker.state.value, language), class_="well" if well else "unwell")
    still = f"{worker.stopped_regions} {text('stopped_regions', language)}" if worker.stopped_regions else ""
    behind = f"{_grouped(worker.behind, language)} {text('messages', language)}"
    return element(
        "tr",
        element("th", worker.name, scope="row"),
        element("td", state, element("small", still, class_="still") if still else ""),
        element("td", "–" if worker.state is WorkerState.SILENT else behind),
    )


def announcement(status: RegionStatusChanged, language: Language) -> str:
    """What a screen reader says when a region's colour is drawn anew."""
    return f"{status.region}: {say(COMPUTED[status.computed], language)}"


def announcement_of_alert(alert: AlertChanged, language: Language) -> str:
    """What a screen reader says of an alert that changed. The next step only while there is one to take."""
    told = f"{alert.region}: {say(ALERT[alert.kind], language)}, {say(STATE[alert.state], language)}."
    if alert.state in (AlertState.CLOSED, AlertState.ACKNOWLEDGED):
        return told
    return f"{told} {alert.next_step_nl if language is Language.NL else alert.next_step_en}"


def _chip(colour: ComputedColour | DeclaredColour, label: str) -> Html:
    return element(
        "span",
        element("span", _SHAPE[colour], aria_hidden="true", class_="shape"),
        " ",
        label,
        class_=f"chip {colour.value.replace('_', '-')}",
    )


def _day(iso: str) -> Html:
    return element("time", iso, datetime=iso)


def _chance(permille: int, month: MonthFigures, language: Language) -> str:
    if month.unknown:
        return text("unknown", language)
    shown = f"{(permille + 5) // 10} %" if language is Language.NL else f"{(permille + 5) // 10}%"
    return f"{shown} ({text('assumed', language)})" if month.assumed else shown


def _hours(minutes: int, language: Language) -> str:
    return _grouped((minutes + 30) // 60, language)


def _hours_told(minutes: int, told: bool, language: Language) -> str:
    return _hours(minutes, language) if told else text("too_few_providers", language)


def _grouped(number: int, language: Language) -> str:
    return f"{number:,}".replace(",", "." if language is Language.NL else ",")
