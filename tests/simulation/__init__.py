"""The seeded simulator: the real adapters over a broker in this process, with virtual time, faults and planted bugs.

`python -m tests.simulation --seeds N --bugs all` runs it; tests/simulation/test_broker_conformance.py shows on the real
Kafka that the broker of this folder behaves as that one does.
"""
