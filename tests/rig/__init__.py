"""The rig: the whole hub on a real cluster behind a bad network, a nemesis that hurts it, and checkers that judge.

`python -m tests.rig` runs it (`make chaos`). What is promised, and what was thrown at it, stands in docs/chaos.md.
"""
