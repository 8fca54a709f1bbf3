"""Whether anybody waits for a piece of work."""

from imgcdn.core.interest import Interest


def test_a_watcher_is_told_of_changes_alone() -> None:
    interest, told = Interest(), list[bool]()
    with interest.watched_by(told.append):
        interest.change(is_wanted=True)
        assert told == []
        interest.change(is_wanted=False)
        interest.change(is_wanted=False)
        interest.change(is_wanted=True)
    assert told == [False, True]


def test_a_watcher_is_told_at_once_that_nobody_waits() -> None:
    interest, told = Interest(), list[bool]()
    interest.change(is_wanted=False)
    with interest.watched_by(told.append):
        assert told == [False]


def test_nothing_is_told_after_the_context() -> None:
    interest, told = Interest(), list[bool]()
    with interest.watched_by(told.append):
        pass
    interest.change(is_wanted=False)
    assert told == []
