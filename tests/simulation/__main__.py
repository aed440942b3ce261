"""The command; see campaign.py. (Its functions stand there because child processes import them by name.)"""

import sys

from tests.simulation.campaign import main

sys.exit(main())
