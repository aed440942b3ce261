"""What can be found, in the order in which it should be mended: an earlier one often explains the later ones.

Every kind has a section of its name in docs/runbook.md; a test holds that.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class Kind(StrEnum):
    """What is wrong. The order is the order of mending."""

    BROKER_UNREACHABLE = "broker_unreachable"
    PASSWORD_REFUSED = "password_refused"  # noqa: S105  # a finding, no password
    NOT_ALLOWED_TO_LOOK = "not_allowed_to_look"
    REPLICAS_MISSING = "replicas_missing"
    TABLES_MISSING = "tables_missing"
    TABLES_UNSOUND = "tables_unsound"
    GENERATION_CLOSING = "generation_closing"
    TOPIC_MISSING = "topic_missing"
    PARTITIONS_CHANGED = "partitions_changed"
    TOPIC_CONFIG = "topic_config"
    ACCESS_MISSING = "access_missing"
    ACCESS_SURPLUS = "access_surplus"
    SCHEMA_UNKNOWN = "schema_unknown"
    WORKER_SILENT = "worker_silent"
    WORKER_NOT_READY = "worker_not_ready"
    WORKER_OTHER_TABLES = "worker_other_tables"
    REGION_STOPPED = "region_stopped"
    GROUP_WITHOUT_MEMBERS = "group_without_members"
    GROUP_BEHIND = "group_behind"
    SNAPSHOT_OLD = "snapshot_old"
    DAY_MISSED = "day_missed"
    DEAD_LETTERS_GROW = "dead_letters_grow"
    STATEMENTS_REFUSED = "statements_refused"
    REDIS_UNREACHABLE = "redis_unreachable"
    REDIS_TOO_OLD = "redis_too_old"
    READ_MODEL_BEHIND = "read_model_behind"


class Severity(StrEnum):
    """Whether somebody must act now."""

    ERROR = "error"
    WARNING = "warning"


NEXT_STEP: Final[dict[Kind, str]] = {
    Kind.BROKER_UNREACHABLE: "Start the brokers, or mend KAFKA_BOOTSTRAP_SERVERS; then ask again.",
    Kind.PASSWORD_REFUSED: "Put the password of that user into the credentials file, or run hub topics apply with it.",
    Kind.NOT_ALLOWED_TO_LOOK: "Ask again as the administrator: --credentials with an entry for admin.",
    Kind.REPLICAS_MISSING: "Start the broker that is away; with one more gone nothing can be written.",
    Kind.TABLES_MISSING: "Run hub topics apply with the tables file.",
    Kind.TABLES_UNSOUND: "Apply a sound version of the tables, with a version number above the one in force.",
    Kind.GENERATION_CLOSING: "Finish it: run hub generation open with the tables of the next generation.",
    Kind.TOPIC_MISSING: "Run hub topics apply with the tables in force; if the topic held data, restore it first.",
    Kind.PARTITIONS_CHANGED: "Stop the workers and restore the topic, or open a new generation.",
    Kind.TOPIC_CONFIG: "Run hub topics apply with the tables in force.",
    Kind.ACCESS_MISSING: "Run hub topics apply with the tables in force.",
    Kind.ACCESS_SURPLUS: "Find out who granted it; hub topics apply takes it away.",
    Kind.SCHEMA_UNKNOWN: "Bring every worker to the release whose schemas/avro/ids.lock has that id.",
    Kind.WORKER_SILENT: "Look at the last lines of that worker: worker_died names the reason and the place.",
    Kind.WORKER_NOT_READY: "Wait a minute; if it stays, look at its /readyz and at the broker.",
    Kind.WORKER_OTHER_TABLES: "Restart that worker; it reads the tables in force when it starts.",
    Kind.REGION_STOPPED: "Mend the rule at the place named, and start that fold's workers with the mended release.",
    Kind.GROUP_WITHOUT_MEMBERS: "Start the workers of that role.",
    Kind.GROUP_BEHIND: "Ask again in a minute; if it grows, look at the load and add a worker up to the partitions.",
    Kind.SNAPSHOT_OLD: "Look at the worker of that fold: it folds and cannot write its snapshots.",
    Kind.DAY_MISSED: "Start the clock; it sends every day that it missed, in order.",
    Kind.DEAD_LETTERS_GROW: "Ask these tenants to run hub dlq list, which only their own password opens: it says why.",
    Kind.STATEMENTS_REFUSED: "See why the tool refuses them, mend it, and start its connector once with --again.",
    Kind.REDIS_UNREACHABLE: "Start Redis, or mend REDIS_URL. Nothing is lost: the read model catches up.",
    Kind.REDIS_TOO_OLD: "Bring Redis to 6.2 or Valkey to any version.",
    Kind.READ_MODEL_BEHIND: "Start the read-model worker; if it runs, look at its lines.",
}

WARNINGS: Final = frozenset(
    {
        Kind.GENERATION_CLOSING,
        Kind.TOPIC_CONFIG,
        Kind.WORKER_NOT_READY,
        Kind.GROUP_BEHIND,
        Kind.SNAPSHOT_OLD,
        Kind.DEAD_LETTERS_GROW,
        Kind.STATEMENTS_REFUSED,
        Kind.READ_MODEL_BEHIND,
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `what` says what was found and what was expected; it names no client and no id."""

    kind: Kind
    what: str

    @property
    def severity(self) -> Severity:
        """Whether somebody must act now."""
        return Severity.WARNING if self.kind in WARNINGS else Severity.ERROR

    @property
    def next_step(self) -> str:
        """The one thing to do first."""
        return NEXT_STEP[self.kind]

    @property
    def runbook(self) -> str:
        """Where the longer story stands."""
        return f"docs/runbook.md#{self.kind}"

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "kind": self.kind.value,
            "severity": self.severity.value,
            "what": self.what,
            "next_step": self.next_step,
            "runbook": self.runbook,
        }


def in_order(findings: list[Finding]) -> list[Finding]:
    """First what explains the rest."""
    kinds = list(Kind)
    return sorted(findings, key=lambda one: (kinds.index(one.kind), one.what))
