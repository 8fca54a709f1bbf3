"""
How the time of each parser grows with the text that a client, an origin or an operator chose.

    python -m bench.load.parsers [WORD ...]

Prints for each parser of `tests/support/parsers.py` (with words: for those whose name has one of them) its greatest
length, the text that took longest, the CPU milliseconds for a quarter, half and all of that length, and the ratio of
the last two. A linear parser has 2, a quadratic one 4. Times below 0.1 ms are noise. Starts no service.
"""

import argparse

from tests.support.parsers import PARSERS, Parser, seconds

_RUNS = 7


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD")
    words = parser.parse_args().words
    print(f"{'parser':60} {'length':>7}  {'text':10} {'1/4':>7} {'1/2':>7} {'all':>7}  ratio")
    for each in PARSERS:
        if not words or any(word in each.name for word in words):
            print(_line(each), flush=True)


def _line(parser: Parser) -> str:
    slowest = max(parser.texts(), key=lambda text: seconds(parser, text[1](parser.length), runs=2))
    label, text = slowest
    quarter, half, whole = (seconds(parser, text(parser.length // part), runs=_RUNS) * 1000 for part in (4, 2, 1))
    times = f"{quarter:7.3f} {half:7.3f} {whole:7.3f}"
    return f"{parser.name:60} {parser.length:7}  {label!r:10} {times}  {whole / max(half, 1e-6):5.1f}"


if __name__ == "__main__":
    main()
