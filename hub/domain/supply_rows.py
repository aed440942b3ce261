"""What KSV, insurers and providers say around a region's capacity, as rows: measures, figures, guidelines, colours."""

from datetime import date
from typing import Final

import msgspec

from hub.domain.contracts import Contracts
from hub.domain.identifiers import Agb, Month, month_of
from hub.domain.mandates import Mandates
from hub.domain.region_forecast import Benchmark, Surroundings
from hub.domain.shards import Shards
from hub.domain.words import DeclaredColour, InForceKind

MEASURES_MAX: Final = 5_000
FIGURES_MAX: Final = 20_000
BENCHMARKS_MAX: Final = 1_000
GUIDELINES_MAX: Final = 500
PROGNOSES_MAX: Final = 500
COLOURS_MAX: Final = 2_000
THREATS_MAX: Final = 5_000
ACKNOWLEDGEMENTS_MAX: Final = 20_000
NON_CONTRACTED_MAX: Final = 20_000


class MeasureRow(msgspec.Struct, frozen=True, array_like=True):
    """One measure; `provider` empty for one of the whole region."""

    provider: Agb
    measure: str
    started: bool
    on: date


class FiguresRow(msgspec.Struct, frozen=True, array_like=True):
    """What an insurer knows of one provider's month (rule 18)."""

    insurer: str
    provider: Agb
    month: Month
    mean_care_minutes: int
    capacity_minutes: int


class BenchmarkRow(msgspec.Struct, frozen=True, array_like=True):
    """Figures of one month of the previous year, by one insurer; `lead`: by a lead insurer of the region."""

    insurer: str
    lead: bool
    month: Month
    mean_care_minutes: int
    unique_clients: int


class PrognosisRow(msgspec.Struct, frozen=True, array_like=True):
    """Bo's prognosis of one month (rule 20)."""

    month: Month
    carers: int
    published_on: date


class GuidelineRow(msgspec.Struct, frozen=True, array_like=True):
    """The intake guideline of one month, with the document that adopted it (rule 19)."""

    month: Month
    minutes: int
    document_id: str
    document_version: int
    adopted_on: date | None


class ColourRow(msgspec.Struct, frozen=True, array_like=True):
    """A colour that the KSV declared."""

    colour: DeclaredColour
    valid_from: date
    valid_until: date | None
    declared_on: date | None

    def in_force(self, today: date) -> bool:
        """Whether the declaration holds on a day."""
        return self.valid_from <= today and (self.valid_until is None or today <= self.valid_until)


class ThreatRow(msgspec.Struct, frozen=True, array_like=True):
    """A signal of the KSV (provider empty) or of a provider that red threatens in a month (rule 32)."""

    provider: Agb
    month: Month
    signalled: bool


class AcknowledgementRow(msgspec.Struct, frozen=True, array_like=True):
    """A provider has taken note of a document."""

    provider: Agb
    kind: InForceKind
    document_id: str
    document_version: int


class NonContractedRow(msgspec.Struct, frozen=True, array_like=True):
    """A provider without a contract delivers and claims (rule 37)."""

    insurer: str
    provider: Agb
    month: Month
    unique_clients: int


class SupplyRows:
    """All of these of one region."""

    def __init__(self) -> None:
        """Nothing said yet."""
        self.measures: Shards[MeasureRow] = Shards("measures", MeasureRow, count=4, size_max=MEASURES_MAX)
        self.figures: Shards[FiguresRow] = Shards("figures", FiguresRow, count=16, size_max=FIGURES_MAX)
        self.benchmarks: Shards[BenchmarkRow] = Shards("benchmarks", BenchmarkRow, count=1, size_max=BENCHMARKS_MAX)
        self.guidelines: Shards[GuidelineRow] = Shards("guidelines", GuidelineRow, count=1, size_max=GUIDELINES_MAX)
        self.prognoses: Shards[PrognosisRow] = Shards("prognoses", PrognosisRow, count=1, size_max=PROGNOSES_MAX)
        self.colours: Shards[ColourRow] = Shards("colours", ColourRow, count=1, size_max=COLOURS_MAX)
        self.threats: Shards[ThreatRow] = Shards("threats", ThreatRow, count=4, size_max=THREATS_MAX)
        self.acknowledgements: Shards[AcknowledgementRow] = Shards(
            "acknowledgements", AcknowledgementRow, count=16, size_max=ACKNOWLEDGEMENTS_MAX
        )
        self.non_contracted: Shards[NonContractedRow] = Shards(
            "non-contracted", NonContractedRow, count=8, size_max=NON_CONTRACTED_MAX
        )

    @property
    def kinds(self) -> tuple[Shards[object], ...]:
        """Every kind of row, for snapshots."""
        return (
            self.measures, self.figures, self.benchmarks, self.guidelines, self.prognoses, self.colours, self.threats,
            self.acknowledgements, self.non_contracted,
        )  # type: ignore[return-value]  # fmt: skip

    def measures_running(self, today: date) -> list[MeasureRow]:
        """Measures that have begun and not ended, in the order of their records."""
        return [row for row in self.measures.values() if (row.on <= today if row.started else today < row.on)]

    def declared_colour(self, today: date) -> DeclaredColour | None:
        """What the KSV declares for a day: of several the one that begins last, then the one declared last."""
        rows = [(row.valid_from, row.declared_on or date.min, key, row.colour) for key, row in self.colours.items()
                if row.in_force(today)]  # fmt: skip
        return max(rows)[3] if rows else None

    def guideline_of(self, month: Month) -> GuidelineRow | None:
        """The guideline of a month: of several the one adopted last."""
        rows = [(row.adopted_on or date.min, key, row) for key, row in self.guidelines.items() if row.month == month]
        return max(rows, key=lambda row: row[:2])[2] if rows else None

    def prognosis_of(self, month: Month) -> PrognosisRow | None:
        """Bo's prognosis of a month: of several the one published last."""
        rows = [(row.published_on, key, row) for key, row in self.prognoses.items() if row.month == month]
        return max(rows, key=lambda row: row[:2])[2] if rows else None

    def _guidelines(self) -> dict[Month, int]:
        months = sorted({row.month for _, row in self.guidelines.unordered()})
        return {month: row.minutes for month in months if (row := self.guideline_of(month)) is not None}

    def acknowledged(self, provider: Agb, kind: InForceKind, document_id: str, version: int) -> bool:
        """Whether a provider has taken note of this version or a later one."""
        return any(
            row.provider == provider and row.kind is kind and row.document_id == document_id
            and row.document_version >= version
            for _, row in self.acknowledgements.unordered()
        )  # fmt: skip

    def surroundings(self, contracts: Contracts, mandates: Mandates, today: date) -> Surroundings:
        """What a forecast needs on a day. Where insurers differ, a lead insurer's benchmark speaks first."""
        benchmarks: dict[Month, Benchmark] = {}
        for _, row in sorted(self.benchmarks.items(), key=lambda pair: (not pair[1].lead, pair[1].insurer, pair[0])):
            benchmarks.setdefault(
                row.month, Benchmark(mean_minutes=row.mean_care_minutes, unique_clients=row.unique_clients)
            )
        figures: dict[tuple[Agb, Month], int] = {}
        for _, known in self.figures.unordered():
            where = (known.provider, known.month)
            figures[where] = max(figures.get(where, 0), known.capacity_minutes)
        bound = sorted(contracts.contracted_on(today) | mandates.bo_members_on(today))
        running = self.measures_running(today)
        return Surroundings(
            benchmarks={month: benchmarks[month] for month in sorted(benchmarks)},
            guidelines=self._guidelines(),
            insurer_minutes=figures,
            binding={provider: True for provider in bound},
            measures={row.provider: True for row in running if row.provider},
            region_measures=any(not row.provider for row in running),
            red_threats=tuple(
                (row.month, row.provider or None)
                for _, row in self.threats.items()
                if row.signalled and row.month >= month_of(today)
            ),
        )
