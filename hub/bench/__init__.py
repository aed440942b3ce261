"""Speed and memory as ratios of one run: absolute figures depend on the machine, ratios say where we stand."""
