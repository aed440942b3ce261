"""How fast, and beside what: every figure is taken next to a yardstick on the same broker in the same run."""
