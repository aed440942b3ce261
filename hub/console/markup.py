"""HTML from values. Text is escaped because it is text; there is no way to write markup with a string.

A template engine was left out: one page with two tables needs none, and escaping by type cannot be forgotten.
"""

from collections.abc import Iterable
from html import escape
from typing import Final

_VOID: Final = frozenset({"meta", "link", "br"})


class Html(str):
    """Markup that is safe to send: only `element` and `join` make it."""

    __slots__ = ()


Child = str | Html | Iterable["str | Html"]


def element(name: str, /, *children: Child, **attributes: str | int | None) -> Html:
    """One element. `class_` and `for_` lose their underscore, `aria_label` becomes `aria-label`, None leaves out."""
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    opened = f"<{name}{pairs}>"
    return Html(opened if name in _VOID else f"{opened}{join(*children)}</{name}>")


def join(*children: Child) -> Html:
    """Children one after the other, text escaped."""
    parts: list[str] = []
    for child in children:
        if isinstance(child, Html):
            parts.append(child)
        elif isinstance(child, str):
            parts.append(escape(child))
        else:
            parts.extend(part if isinstance(part, Html) else escape(part) for part in child)
    return Html("".join(parts))
