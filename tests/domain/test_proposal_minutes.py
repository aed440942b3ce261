"""Minutes asked of a provider are counted beside the proposals and never differ from them."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from hub.domain.identifiers import Agb, Month
from hub.domain.waiting_list import ProposalRow, Proposals
from hub.domain.words import AllocationStatus

ROW = st.builds(
    ProposalRow,
    waiting=st.just("w"),
    provider=st.sampled_from([Agb("41000001"), Agb("41000002")]),
    minutes=st.integers(0, 3000),
    month=st.sampled_from([Month(24315), Month(24316)]),
    on=st.just(date(2026, 3, 2)),
    answer_by=st.just(date(2026, 3, 4)),
    status=st.sampled_from([AllocationStatus.PROPOSED, AllocationStatus.ACCEPTED, AllocationStatus.DECLINED]),
)
CHANGES = st.lists(st.tuples(st.sampled_from("abcde"), st.none() | ROW), max_size=20)


@given(CHANGES)
def test_the_minutes_are_those_of_the_rows_after_any_change_and_after_a_restore(
    changes: list[tuple[str, ProposalRow | None]],
) -> None:
    """Put, replaced, removed, taken from a snapshot."""
    proposals, restored = Proposals(), Proposals()
    for key, row in changes:
        if row is None:
            proposals.remove(key)
        else:
            proposals.put(key, row)
    restored.restore({name: part for name, part in proposals.changed_parts().items() if part is not None})
    asked = (AllocationStatus.PROPOSED, AllocationStatus.ACCEPTED)
    for month in (Month(24315), Month(24316)):
        counted: dict[Agb, int] = {}
        for row in proposals.values():
            if row.month == month and row.status in asked and row.minutes:
                counted[row.provider] = counted.get(row.provider, 0) + row.minutes
        assert proposals.minutes(month, *asked) == restored.minutes(month, *asked) == counted
