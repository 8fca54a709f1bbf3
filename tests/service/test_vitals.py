"""When the failures of a part count as a problem."""

from imgcdn.service.vitals import SURE, Vitals


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_failures_count_when_they_come_in_a_row() -> None:
    vitals = Vitals()
    for _ in range(2):
        vitals.note_failure("renderers", "they crash")
    vitals.note_success("renderers")
    for _ in range(2):
        vitals.note_failure("renderers", "they crash")
    assert vitals.problems() == []
    vitals.note_failure("renderers", "they crash again")
    assert vitals.problems() == ["renderers: they crash again"]
    vitals.note_success("renderers")
    assert vitals.problems() == []


def test_the_failures_of_one_source_count_as_one() -> None:
    vitals = Vitals()
    for source in ("a", "a", "a", "b", "a", "b"):
        vitals.note_failure("renderers", "they crash", source=source)
    assert vitals.problems() == []
    vitals.note_failure("renderers", "they crash", source="c")
    assert vitals.problems() == ["renderers: they crash"]


def test_one_failure_is_enough_if_its_cause_is_certain() -> None:
    vitals = Vitals()
    vitals.note_failure("renderers", "they crash")
    vitals.note_failure("broker", "it does not start", weight=SURE)
    assert vitals.problems() == ["broker: it does not start"]


def test_a_failure_is_forgotten_after_ten_minutes() -> None:
    clock = _Clock()
    vitals = Vitals(clock=clock)
    vitals.note_failure("broker", "it does not start", weight=SURE)
    clock.now = 600
    assert vitals.problems() == ["broker: it does not start"]
    clock.now = 601
    assert vitals.problems() == []
