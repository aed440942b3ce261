"""`python -m hub.match_evaluation FILE.csv [PAIRS.csv]`."""

import json
import sys

from hub.match_evaluation.evaluate import evaluate_file

print(json.dumps(evaluate_file(*sys.argv[1:3])))
