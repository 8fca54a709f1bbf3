"""The settings of what a request may ask for."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from imgcdn.core.output.formats import NEGOTIATED
from imgcdn.core.request.parameters import MAX_DIMENSION
from imgcdn.core.request.params import DEFAULT_TARGET, LEAST_TARGET
from imgcdn.core.request.rules import Preset, Rules, parse_preset
from imgcdn.core.request.widths import LADDER, WidthPolicy, Widths
from imgcdn.core.setting import Mistake, Problem, choice, integer, list_of, names, setting, switch, table_of
from imgcdn.errors import InvalidParam

# The longest edge that both negotiated formats have.
_MOST = min(fmt.max_edge for fmt in NEGOTIATED)


class ParamsPolicy(Enum):
    """What a URL may ask for: any output, or presets alone."""

    ANY = 1
    PRESETS = 2


def _preset(name: str, query: str) -> Preset:
    try:
        return parse_preset(name, query)
    except InvalidParam as error:
        raise Mistake(error.detail, complete=True) from error


def _widths(raw: object) -> tuple[int, ...]:
    """Read a list of widths; they come out ascending, each once."""
    found = list_of(integer(1, _MOST))(raw)
    if not found:
        raise Mistake("must list widths in pixels, such as 320 640 1280", raw)
    return tuple(sorted(set(found)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSettings:
    """What a request may ask for."""

    formats: tuple[str, ...] = setting(
        tuple(fmt.name for fmt in NEGOTIATED),
        names(*(fmt.name for fmt in NEGOTIATED)),
        "Formats that are negotiated by `Accept`, the preferred one first: `avif`, `webp`, both, or an empty list.",
    )
    max_dimension: int = setting(
        MAX_DIMENSION, integer(1, _MOST), "Largest `w` and `h` that a URL may ask for, in pixels."
    )
    width_policy: WidthPolicy = setting(
        WidthPolicy.ANY,
        choice(WidthPolicy),
        "What happens to a `w` or `h` (times `dpr`) that is not in `widths`: it is served (`any`), rounded up (`snap`) "
        "or refused (`strict`).",
    )
    widths: tuple[int, ...] = setting(LADDER, _widths, "The ladder for `width_policy`, in pixels.")
    presets: tuple[Preset, ...] = setting(
        (),
        table_of(_preset, example="thumb=w=200&h=200&fit=cover"),
        "Names for sets of parameters. With `thumb=w=200&h=200&fit=cover`, a URL may say `p=thumb`.",
    )
    params: ParamsPolicy = setting(
        ParamsPolicy.ANY,
        choice(ParamsPolicy),
        "What a URL may ask for: any output (`any`), or presets alone (`presets`).",
    )
    auto_target: int = setting(
        DEFAULT_TARGET,
        integer(LEAST_TARGET, 90),
        "SSIMULACRA2 that `q=auto` aims at: 50 is medium quality, 70 high, 90 as good as lossless.",
    )
    save_data: bool = setting(
        False, switch, "Whether `Save-Data: on` in a request lowers the quality. The header then joins `Vary`."
    )

    @property
    def rules(self) -> Rules:
        """The rules that parameters are read by."""
        return Rules(
            max_dimension=self.max_dimension,
            presets=self.presets,
            only_presets=self.params is ParamsPolicy.PRESETS,
            widths=Widths(self.width_policy, self.widths),
            auto_target=self.auto_target,
        )

    def problems(self) -> Iterable[Problem]:
        """Yield the mistakes in combinations of settings: the settings concerned, and what is wrong."""
        if self.width_policy is not WidthPolicy.ANY and self.widths[-1] > self.max_dimension:
            yield (
                ("width_policy", "widths", "max_dimension"),
                f"widths must not be above max_dimension ({self.max_dimension}), but the largest is {self.widths[-1]}",
            )
        for preset in self.presets:
            try:
                self.rules.params({"p": preset.name})
            except InvalidParam as error:
                yield ("presets", "widths", "max_dimension"), f"presets.{preset.name}: {error.detail}"
