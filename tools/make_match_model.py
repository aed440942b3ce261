"""Writes hub/domain/warm_model.py: the committed integer weights with which the match fold starts.

The trainer may use floats; a fold may not. So its answer is written down once, as whole millibits, and the fold only
adds them. Run it after dutch_fit.json changed: `python tools/make_match_model.py`, then commit the result; the model's
version must rise, since a log that was folded with the old one must refold to the same bytes.
"""

import sys
from pathlib import Path

from hub.domain.match_model import check_model
from hub.match_evaluation.warm import warm_model

TARGET = Path(__file__).resolve().parents[1] / "hub" / "domain" / "warm_model.py"


def main(version: str) -> None:
    """Render the warm model under a version name."""
    model = warm_model(version)
    assert check_model(model) is None
    lines = [
        '"""The model with which the match fold starts: whole millibits, learned on invented clients.',
        "",
        'Written by tools/make_match_model.py from hub/match_evaluation/dutch_fit.json; not edited by hand."""',
        "",
        "from typing import Final",
        "",
        "from hub.domain.match_model import Explanation, MatchModel",
        "",
        "WARM_MODEL: Final = MatchModel(",
        f"    version={version!r},",
        "    explanations=(",
    ]
    for one in model.explanations:
        lines += [
            "        Explanation(",
            f"            name={one.name!r},",
            f"            same_person={one.same_person!r},",
            f"            prior_millibits={one.prior_millibits!r},",
            "            weights_millibits=(",
            *(f"                {tuple(row)!r}," for row in one.weights_millibits),
            "            ),",
            "        ),",
        ]
    lines += ["    ),", ")", ""]
    TARGET.write_text("\n".join(lines), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "warm-3")
