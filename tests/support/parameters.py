"""Sample values of each parameter, made from its declaration, so that no list has to name a new parameter."""

from imgcdn.core.request.arguments import (
    Choices,
    Colours,
    Crops,
    Decimals,
    FileNames,
    Floats,
    Integers,
    Positions,
    Range,
    Texts,
    Timestamps,
    Tokens,
)
from imgcdn.core.request.parameters import OF_THE_REQUEST, PARAMETERS


def samples(values: Range[object]) -> list[str]:
    """Return texts that the range accepts: its ends, its words, and one of each spelling."""
    match values:
        case Integers(low, high, word):
            return [str(low), str(high), *([word] if word else [])]
        case Decimals(low, high) | Floats(low, high):
            return [str(low), str(high)]
        case Choices(meanings):
            return list(meanings)
        case Positions(words):
            return [*(word for word in words if word.isalpha()), "top left", "0.3,0.8"]
        case Colours():
            return ["fff", "012345", "12345678", "00000000"]
        case Crops():
            return ["0.1,0.1,0.5,0.6", "10,10,60,60"]
        case Timestamps():
            return ["0", "999999999999"]
        case Tokens() | FileNames() | Texts():
            return ["thumb"]
    raise AssertionError(f"name samples of {type(values).__name__} here")


#: Parameter of the output -> sample values.
SAMPLES = {parameter.name: samples(parameter.range) for parameter in PARAMETERS if parameter.name not in OF_THE_REQUEST}
