"""What can be measured from outside, in base units. No id is ever a label."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

EVENTS: Final = Counter(
    "hub_events_total", "Records taken, by topic family and what became of them", ["topic", "outcome"]
)
LATENCY: Final = Histogram(
    "hub_event_latency_seconds",
    "From the time of a record to the end of this hop",
    ["role"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
)
LAG: Final = Gauge("hub_consumer_lag", "Records that are readable and not yet taken", ["role", "topic", "partition"])
DEAD_LETTERS: Final = Counter(
    "hub_dead_letters_total", "Records that intake could not take, by reason code", ["reason"]
)
DEAD_LETTERS_KEPT: Final = Gauge(
    "hub_dlq_depth", "Dead letters on a tenant's topic, mended or not; every intake tells the same", ["tenant"]
)
WEBHOOKS: Final = Counter(
    "hub_webhooks_total",
    "Attempts to send an alert, by receiver and what came of them",
    ["endpoint", "answer"],
)
RECEIPTS: Final = Counter("hub_receipts_total", "Receipts issued, by outcome and code", ["outcome", "code"])
STOPPED_REGIONS: Final = Gauge(
    "hub_stopped_regions", "Regions whose rule raised and that wait for a fix", ["role", "partition"]
)
SNAPSHOT_SECONDS: Final = Histogram("hub_snapshot_seconds", "Time of one snapshot transaction", ["role"])
