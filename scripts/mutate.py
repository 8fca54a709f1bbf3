"""
Mutation testing: change one operator, bound or branch at a time, and see whether the room's tests notice.

    python -m scripts.mutate --count 100 --seed 1
    python -m scripts.mutate --room core --kind constant

It works in a copy; the checkout is never touched. It prints each survivor as `path:line: before -> after`, and exits
with 1 if fewer than 95 of 100 operators and branches are noticed. `scripts/mutate_survivors.tsv` lists the survivors
that stay, each with its reason; they do not count.
"""

import argparse
import ast
import csv
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
SURVIVORS = ROOT / "scripts" / "mutate_survivors.tsv"

#: Room of the package -> the folders with its tests. The settings of every room are tested in tests/config.
ROOMS = {
    "core": ("tests/core", "tests/dialects", "tests/config"),
    "store": ("tests/store", "tests/config"),
    "origins": ("tests/origins", "tests/config"),
    "markup": ("tests/markup",),
}

#: Kinds of change, the ones that count first.
KINDS = ("operator", "branch", "constant")

_NEEDED_SHARE = 0.95
_TIMEOUT_S = 300.0

_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
_SYMBOLS: dict[type[ast.AST], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
}
_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "//",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "*",
}
#: Calls whose arguments are messages for people.
_FOR_PEOPLE = frozenset({"debug", "info", "warning", "error", "exception", "setting", "Parameter"})


@dataclass(frozen=True, slots=True)
class Mutant:
    """
    One change.

    Args:
        path: Of the module, relative to the checkout.
        line: Number of the line, from 1.
        kind: One of `KINDS`.
        start, end: Offsets into the source.
        before, after: The text there, and what takes its place.
        source_line: The line, without the white space around it.
    """

    path: str
    line: int
    kind: str
    start: int
    end: int
    before: str
    after: str
    source_line: str

    def applied(self, source: str) -> str:
        """Return the module with the change in it."""
        return source[: self.start] + self.after + source[self.end :]

    @property
    def name(self) -> tuple[str, str, str]:
        """Its name in the table of survivors, independent of the line number."""
        return self.path, self.source_line, f"{self.before} -> {self.after}"


def mutants(source: str, path: str) -> list[Mutant]:
    """
    Return every change that can be made to a module.

    >>> [(each.before, each.after) for each in mutants("if a < 3: b()", "x.py")]
    [('a < 3', 'not (a < 3)'), ('<', '<='), ('3', '4')]
    """
    text = _Text(source)
    found = []
    for node in _behaviour(ast.parse(source)):
        for kind, (start, end), after in text.changes(node):
            line = source.count("\n", 0, start) + 1
            found.append(Mutant(path, line, kind, start, end, source[start:end], after, text.lines[line - 1].strip()))
    return sorted(found, key=lambda each: (each.start, each.after))


#: Kind, where the text stands, what takes its place.
_Change = tuple[str, tuple[int, int], str]


class _Text:
    """A module's source, and where the nodes of its tree stand in it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines = source.splitlines()
        self._offsets = [0]
        for line in source.splitlines(keepends=True):
            self._offsets.append(self._offsets[-1] + len(line))

    def changes(self, node: ast.AST) -> Iterator[_Change]:
        """Yield the changes of one node."""
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            for left, operator, right in zip(operands, node.ops, node.comparators, strict=False):
                yield from self._operator(left, right, _SYMBOLS[type(operator)], _COMPARISONS[type(operator)])
        elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            yield from self._operator(node.left, node.right, _SYMBOLS[type(node.op)], _ARITHMETIC[type(node.op)])
        elif isinstance(node, ast.BoolOp):
            before, after = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            yield from self._operator(node.values[0], node.values[1], before, after)
        elif isinstance(node, ast.If | ast.IfExp | ast.While):
            start, end = self._span(node.test)
            yield "branch", (start, end), f"not ({self.source[start:end]})"
        elif isinstance(node, ast.Constant):
            value = node.value
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield "constant", self._span(node), repr(value + 1)

    def _operator(self, left: ast.expr, right: ast.expr, before: str, after: str) -> Iterator[_Change]:
        """Find an operator between its operands; parentheses may stand there too."""
        at = self.source.find(before, self._span(left)[1], self._span(right)[0])
        if at >= 0:
            yield "operator", (at, at + len(before)), after

    def _span(self, node: ast.expr) -> tuple[int, int]:
        return self._at(node.lineno, node.col_offset), self._at(node.end_lineno or 0, node.end_col_offset or 0)

    def _at(self, line: int, column: int) -> int:
        """Return an offset in characters; the tree counts columns in bytes."""
        return self._offsets[line - 1] + len(self.lines[line - 1].encode()[:column].decode())


def _behaviour(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes with behaviour: without annotations and messages for people."""
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, ast.Call) and _called(node) in _FOR_PEOPLE:
            continue
        if isinstance(node, ast.Raise | ast.Assert):
            continue
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list"):
                continue
            children = value if isinstance(value, list) else [value]
            stack.extend(child for child in children if isinstance(child, ast.AST))


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def gather(rooms: list[str], kinds: list[str]) -> list[Mutant]:
    """Return all mutants of some rooms and kinds."""
    found: list[Mutant] = []
    for room in rooms:
        for path in sorted((ROOT / "imgcdn" / room).rglob("*.py")):
            relative = path.relative_to(ROOT).as_posix()
            found += [each for each in mutants(path.read_text(encoding="utf-8"), relative) if each.kind in kinds]
    return found


def is_noticed(mutant: Mutant, copy: Path) -> bool:
    """
    Apply a mutant in a copy of the checkout and run the tests: those of the module first, then the room's.

    A mutant that makes the tests hang counts as noticed.
    """
    module = copy / mutant.path
    source = module.read_text(encoding="utf-8")
    module.write_text(mutant.applied(source), encoding="utf-8")
    try:
        room = mutant.path.split("/")[1]
        own = sorted((copy / "tests").rglob(f"test_{module.stem}*.py"))
        return (bool(own) and not _pass(copy, [str(path) for path in own])) or not _pass(copy, list(ROOMS[room]))
    finally:
        module.write_text(source, encoding="utf-8")


def _pass(copy: Path, tests: list[str]) -> bool:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:randomly", "-p", "no:cacheprovider"]
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(copy)}
    try:
        done = subprocess.run(
            [*command, *tests], cwd=copy, env=environ, capture_output=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def accepted() -> set[tuple[str, str, str]]:
    """Return the names of the survivors that stay."""
    with SURVIVORS.open(encoding="utf-8", newline="") as file:
        return {(row["path"], row["line"], row["change"]) for row in csv.DictReader(file, delimiter="\t")}


def run(chosen: list[Mutant], jobs: int) -> list[Mutant]:
    """Try mutants, each worker in a copy of its own, and return those that nothing noticed."""
    with tempfile.TemporaryDirectory(prefix="imgcdn-mutate-") as folder:
        copies: list[Path] = []
        for number in range(jobs):
            copy = Path(folder, str(number), "checkout")
            for name in ("imgcdn", "tests", "scripts", "bench", "docs", "sample_images"):
                shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
                shutil.copy(ROOT / name, copy / name)
            copies.append(copy)
        with ThreadPoolExecutor(jobs) as pool:
            tried = pool.map(lambda pair: _try(pair[1], copies), enumerate(chosen))
            return [mutant for mutant, noticed in zip(chosen, tried, strict=True) if not noticed]


def _try(mutant: Mutant, free: list[Path]) -> bool:
    copy = free.pop()
    try:
        noticed = is_noticed(mutant, copy)
    finally:
        free.append(copy)
    print("." if noticed else f"\n{mutant.path}:{mutant.line}: {mutant.before} -> {mutant.after}", end="", flush=True)
    return noticed


def main() -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="which mutants are drawn")
    parser.add_argument("--count", type=int, default=50, help="how many")
    parser.add_argument("--room", action="append", choices=ROOMS, help="one room; may be repeated (default: all)")
    parser.add_argument("--kind", action="append", choices=KINDS, help="default: operator and branch")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) // 2))
    options = parser.parse_args()
    began = time.monotonic()
    pool = gather(options.room or list(ROOMS), options.kind or ["operator", "branch"])
    stay = accepted()
    pool = [each for each in pool if each.name not in stay]
    chosen = random.Random(options.seed).sample(pool, min(options.count, len(pool)))  # noqa: S311  # a draw, no secret
    survivors = run(chosen, options.jobs)
    noticed = len(chosen) - len(survivors)
    print(f"\n{noticed} of {len(chosen)} were noticed, in {time.monotonic() - began:.0f} s")
    return 0 if noticed >= _NEEDED_SHARE * len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
