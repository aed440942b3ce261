"""Versions of the rules: a changed rule stands beside the old one and takes force by `RulesActivated` in every log.

Version 1 is the rules as they stand. A release that changes what is decided, also by mending a mistake, adds a version
(`hub/domain/region.py`, `CHANGES`) and leaves the old rule where it is: whoever refolds the log must get the facts
that were published. A worker that meets a version that it does not know stops: it must not guess. The one exception is
a rule that raised: defining what it decides there changes no published fact.
"""

from typing import Final

RULES_KNOWN: Final = 1
"""The newest version of the rules that this release knows. Intake refuses to activate a higher one."""


class UnknownRules(Exception):  # what was met, not a fault of ours
    """A log or a snapshot speaks of a version of the rules that this release does not know."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"found version {found} of the rules, this release knows up to {known}; start a newer release. "
            "Nothing is lost"
        )
