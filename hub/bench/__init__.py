"""Speed and memory, measured as ratios in one run: absolute figures depend on the machine, ratios say where we stand."""
