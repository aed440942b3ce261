"""A region worker of another release: with a rule that raises, or with another state version. Else it is `hub run`.

RIG_RAISES=KSV-01/register-me stops that region at the registration of that id; RIG_STATE_VERSION=0 writes snapshots
that the release under test does not read.
"""

import os
from dataclasses import replace
from typing import Any, cast

from hub.domain import events as e
from hub.domain import region
from hub.settings import Settings
from hub.streams import folds
from hub.streams.worker import run


def main() -> None:
    """Be that release until told to stop."""
    if at := os.environ.get("RIG_RAISES"):
        code, _, record_id = at.partition("/")
        rules = cast(dict[type[Any], Any], region.RULES)
        good = rules[e.RegistrationSubmitted]

        def submit(case: Any, event: Any) -> Any:
            if (case.place.region, event.record_id) == (code, record_id):
                raise ZeroDivisionError("a mistake of this release")
            return good(case, event)

        rules[e.RegistrationSubmitted] = submit
    if version := os.environ.get("RIG_STATE_VERSION"):
        region.RegionRules.state_version = int(version)
        folds.FOLDS["region"] = replace(folds.FOLDS["region"], state_version=int(version))
    run(["region"], Settings())


if __name__ == "__main__":
    main()
