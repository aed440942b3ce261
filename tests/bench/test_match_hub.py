"""A client who registers twice, on the real stack: found, resolved, and not found where she is transferred."""

import pytest

from hub.bench.match_hub import measure


@pytest.mark.kafka
def test_the_coordinator_hears_of_each_double_registration_and_of_its_end_and_of_no_transfer() -> None:
    """Two packages with their own passwords, a process for each role. How fast is a row of `make bench`."""
    heard = measure(clients=3, transfers=2, per_s=10.0)
    assert len(heard.found_ms) == len(heard.resolved_ms) == 3
    assert heard.after_transfer == 0
