"""The two folds: which rules run over which log, and where their facts and snapshots go."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from hub.contracts import catalogue
from hub.domain.identifiers import RegionCode
from hub.domain.reference import Reference
from hub.streams.machine import Machine, Rules

IDENTITY_KEY: Final = b"identity"
"""Of every record of the identity log, and so of every link."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One fold. `name` is its group, its agent and the stem of its transactional ids."""

    name: str
    log_topic: str
    facts_topic: str
    snapshots_topic: str
    principal: str
    state_version: int
    rules: Callable[[Reference], Rules[Any]]
    only_region: RegionCode | None = None
    """The one key of its log; None: the regions of the tables, each on its partition."""

    def regions(self, reference: Reference, partition: int) -> frozenset[RegionCode]:
        """Those whose facts stand on a partition. For membership only: a set has no order."""
        if self.only_region is not None:
            return frozenset((self.only_region,))
        return frozenset(code for code in reference.codes if reference.partition(code) == partition)

    def machine(self, reference: Reference, partition: int) -> Machine[Any]:
        """A fresh machine for one partition of the log."""
        return Machine(self.rules(reference), partition, self.log_topic, reference, reference.generation)

    def in_generation(self, generation: int) -> "Fold":
        """The same fold over the topics of a generation."""
        names = (self.log_topic, self.facts_topic, self.snapshots_topic)
        log_topic, facts_topic, snapshots_topic = (catalogue.of_generation(name, generation) for name in names)
        return replace(self, log_topic=log_topic, facts_topic=facts_topic, snapshots_topic=snapshots_topic)


def _region_rules(reference: Reference) -> Rules[Any]:
    from hub.domain.region import RegionRules

    return RegionRules(reference)


def _match_rules(reference: Reference) -> Rules[Any]:
    from hub.domain.matching import MatchRules
    from hub.domain.warm_model import WARM_MODEL

    return MatchRules(reference, WARM_MODEL)


FOLDS: Final = {
    "region": Fold(
        "region",
        catalogue.REGION_LOG,
        catalogue.REGION_FACTS,
        catalogue.REGION_SNAPSHOTS,
        catalogue.REGION,
        1,
        _region_rules,
    ),
    "duplicates": Fold(
        "duplicates",
        catalogue.IDENTITY_LOG,
        catalogue.LINKS,
        catalogue.MATCH_SNAPSHOTS,
        catalogue.DUPLICATES,
        1,
        _match_rules,
        RegionCode(IDENTITY_KEY.decode()),
    ),
}
