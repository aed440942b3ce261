"""`python -m hub.match_evaluation FILE.csv [PAIRS.csv]`."""

import json
import sys

from hub.match_evaluation.evaluate import evaluate_file

pairs = sys.argv[2] if len(sys.argv) > 2 else None
sys.stdout.write(json.dumps(evaluate_file(sys.argv[1], pairs)) + "\n")
