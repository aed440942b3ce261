"""A bar for each thing that takes long, when a person watches; silence otherwise."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

Tell = Callable[[str, int, int], None]
"""Told (what, done, of how much)."""


@contextmanager
def progress(screen: Console, quiet: bool) -> Iterator[Tell]:
    """Somebody to tell how far things are."""
    if quiet:
        yield lambda what, done, whole: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen, transient=True) as bars:
        known: dict[str, TaskID] = {}

        def tell(what: str, done: int, whole: int) -> None:
            if what.startswith("day "):
                return  # receipts of one day: too quick to read
            if what not in known:
                known[what] = bars.add_task(what, total=whole)
            bars.update(known[what], completed=done, total=max(whole, 1))

        yield tell
