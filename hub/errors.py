"""The errors that reach a person, in one tree. Each message says what was found, what was expected and what to do."""


class HubError(Exception):
    """Something that the caller can mend. Exit code 1 unless a subclass says otherwise."""

    exit_code = 1


class UsageError(HubError):
    """The command was called with something that it cannot use."""

    exit_code = 2


class ContractError(HubError):
    """Schemas, catalogue, lock file and code contradict each other."""


class WorldUnavailable(HubError):
    """Kafka or Redis did not answer within the bound. Nothing was acknowledged."""


class RuleRaised(HubError):
    """A rule raised: its region stops, the others go on."""


class RulesUnknown(HubError):
    """A log or a snapshot speaks of rules that this release does not know. The worker stops; nothing is lost."""


class TablesReplaced(HubError):
    """Another version of the tables is in force than this process works by. It stops and starts again with that."""

    exit_code = 4


class PartitionCountChanged(HubError):
    """A log topic has another number of partitions than its tables say. Nothing is read until that is mended."""
