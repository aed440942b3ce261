"""The yardstick of the counting job reads what the hub reads and says what the hub says, by libraries alone."""

from hub.bench import counting, plain_agent
from hub.contracts import codec


def test_the_plain_agent_reads_a_registration_of_the_log() -> None:
    """Every field, as a model of Faust."""
    record = counting.log_record(5, 3, "KSV-01")
    read = plain_agent.Registration.loads(record.value or b"")
    meant = codec.decode(record.value or b"")
    assert read.asdict() == {name: getattr(meant, name) for name in read.asdict()}


def test_the_plain_agent_writes_the_bytes_that_the_carrier_writes() -> None:
    """A yardstick that wrote less would flatter itself."""
    receipt = plain_agent.Receipt(recipient="bench", record_id="r-1", version=300, outcome="accepted", code="applied")
    assert receipt.dumps() == codec.encode(counting.counted("bench", "r-1", 300))
