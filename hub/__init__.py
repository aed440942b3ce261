"""The kraamzorg waitlist hub: messages in, facts out, and between them rules that anyone entitled can replay."""

__version__ = "0.1.0"
