"""Does the forecast warn in time? Measured on a simulated truth that the forecast's own code has no part in."""
