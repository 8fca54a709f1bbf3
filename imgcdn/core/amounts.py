"""Amounts in sentences."""


def in_seconds(amount: float) -> str:
    """
    Write a number of seconds.

    >>> in_seconds(1.0), in_seconds(2.5), in_seconds(10)
    ('1 second', '2.5 seconds', '10 seconds')
    """
    return f"{amount:g} second" if amount == 1 else f"{amount:g} seconds"
