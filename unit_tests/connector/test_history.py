"""What a plan's history allows, without HTTP: any plan, any order of questions."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_polygon.streams.history import Contradiction, History, Outside

DAYS = [date(2024, 1, 1) + timedelta(days=n) for n in range(700)]


@given(first=st.integers(0, 699), last=st.integers(0, 699), asked=st.integers(0, 699))
def test_a_refused_day_is_placed_by_what_a_later_one_shows(
    first: int, last: int, asked: int
) -> None:
    """The plan covers the days from `first` to `last`."""
    questions = []

    def refused(day: date) -> bool:
        questions.append(day)
        return not first <= DAYS.index(day) <= last

    history = History(DAYS)
    if first <= asked <= last:
        return
    side = history.place(DAYS[asked], refused)
    if asked < first and last == 699:
        assert side is Outside.BEFORE
        assert history.start == DAYS[first]
        assert len(questions) <= 11
        assert history.excludes(DAYS[asked])
        assert not history.excludes(DAYS[first])
    else:
        # Nothing tells a plan that ends before the last day from one that has none of them.
        assert side is Outside.AFTER
        assert history.start is None


def test_a_day_before_a_known_start_costs_no_question() -> None:
    history = History(DAYS)
    history.place(DAYS[5], lambda day: day < DAYS[300])
    assert history.place(DAYS[7], lambda _: pytest.fail("asked")) is Outside.BEFORE


def test_a_refusal_after_a_served_day_is_a_contradiction() -> None:
    history = History(DAYS)
    history.served(DAYS[3])
    with pytest.raises(Contradiction) as raised:
        history.place(DAYS[9], lambda day: day < DAYS[300])
    assert (raised.value.refused, raised.value.served) == (DAYS[9], DAYS[3])


def test_so_it_is_where_the_served_day_was_still_on_its_way() -> None:
    """Two workers: the earlier day's answer is read after the later one's refusal."""
    history = History(DAYS)
    assert history.place(DAYS[9], lambda day: day < DAYS[300]) is Outside.BEFORE
    with pytest.raises(Contradiction) as raised:
        history.served(DAYS[3])
    assert (raised.value.refused, raised.value.served) == (DAYS[299], DAYS[3])
    history.served(DAYS[300])
