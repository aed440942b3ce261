"""For whoever wants to check us: refold the logs with the plain functions and compare every byte."""
