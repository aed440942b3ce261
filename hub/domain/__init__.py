"""What is true: frozen dataclasses and deterministic functions. Nothing here reads a clock, a network or a secret."""
