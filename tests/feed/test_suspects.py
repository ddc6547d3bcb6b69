"""Which values may be there twice: none that is may be missed, and ascending ones cost nothing."""

from hypothesis import event, given
from hypothesis import strategies as st

from lzsyncd.feed.suspects import Suspects

VALUES = st.text("ab1", max_size=3)


def repeated(batches: list[list[str]]) -> set[str]:
    values = [value for batch in batches for value in batch if value]
    return {value for value in values if values.count(value) > 1}


@given(st.lists(st.lists(VALUES, max_size=6), max_size=6), st.integers(0, 6))
def test_what_is_there_twice_is_named_wherever_the_copies_stand(batches: list[list[str]], ascending: int) -> None:
    first = sorted({value for batch in batches[:ascending] for value in batch})
    batches = [first[:2], first[2:], *batches[ascending:]]
    suspects = Suspects(1 << 16)
    named = [set(suspects.again(batch)) for batch in batches]
    event(f"{min(len(repeated(batches)), 3)} values there twice")
    assert repeated(batches) <= set().union(*named)
    assert "" not in set().union(*named)


def test_of_values_that_ascend_none_is_named_and_nothing_is_remembered() -> None:
    suspects = Suspects(1 << 16)
    assert [suspects.again([f"E{n:06}" for n in range(at, at + 500)]) for at in range(0, 100_000, 500)] == [[]] * 200
    assert len(suspects._seen) == 0


def test_a_straggler_among_values_that_had_ascended_is_named_and_the_next_ones_are_not() -> None:
    suspects = Suspects(1 << 16)
    suspects.again(["a", "c", "e"])
    assert suspects.again(["b", "f", "g"]) == ["b"]
    assert suspects.again(["h", "g"]) == ["g"]
