"""A live service and damaged pictures. `python -m bench.load.survive` sends ten times as many, and the corpus."""

import random
from pathlib import Path

from bench.load.mutations import damage, damaged, drawn
from bench.load.survive import survive


def test_damaged_pictures_are_refused_and_no_worker_dies(tmp_path: Path) -> None:
    originals = drawn()
    outcome = survive(tmp_path, originals, count=100, seed=1)

    assert outcome.wrong == []
    assert outcome.workers_lost == 0
    assert outcome.statuses.total() == len(originals) + 100 + 1  # the last one asks whether it is ready
    assert outcome.statuses[200] > len(originals)
    assert outcome.statuses[422] + outcome.statuses[415] > 10, "the damage reaches the decoders"


def test_the_same_seed_damages_in_the_same_way() -> None:
    assert list(damaged(20, 3)) == list(damaged(20, 3))
    assert list(damaged(20, 3)) != list(damaged(20, 4))


def test_damage_changes_most_files_and_leaves_most_of_each() -> None:
    dice, original = random.Random(1), bytes(range(256)) * 20
    copies = [damage(original, dice) for _ in range(200)]

    assert sum(copy != original for copy in copies) > 150
    assert sum(len(copy) > len(original) // 2 for copy in copies) > 150
