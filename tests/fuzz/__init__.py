"""Whatever anybody may hand to the hub, mutated by the million: `python -m tests.fuzz --runs 1000000 --json`."""
