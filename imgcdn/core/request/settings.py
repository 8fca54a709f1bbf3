"""The settings of what a request may ask for."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from imgcdn.core.output.formats import NEGOTIATED
from imgcdn.core.request.parameters import MAX_DIMENSION
from imgcdn.core.request.params import DEFAULT_TARGET, LEAST_TARGET
from imgcdn.core.request.rules import Preset, Rules, parse_preset
from imgcdn.core.request.signing import Signatures, SigningKey, parse_signing_key
from imgcdn.core.request.widths import LADDER, WidthPolicy, Widths
from imgcdn.core.setting import Mistake, Problem, choice, integer, list_of, names, setting, switch
from imgcdn.core.setting_tables import table_of
from imgcdn.errors import InvalidParam

# The longest edge that both negotiated formats have.
_LONGEST_EDGE = min(fmt.max_edge for fmt in NEGOTIATED)

_EXAMPLE_WIDTH = 640


class ParamsPolicy(Enum):
    """What a URL may ask for: any output, or presets alone."""

    ANY = 1
    PRESETS = 2


_PRESET_VALUE = "w=200&h=200&fit=cover"


def _preset(name: str, raw: object) -> Preset:
    if not isinstance(raw, str):
        raise Mistake(f"must be text such as {_PRESET_VALUE}", raw)
    try:
        return parse_preset(name, raw)
    except InvalidParam as error:
        raise Mistake(error.detail, complete=True) from error


def _signing_key(raw: object) -> SigningKey:
    """Read one key. No message shows it, so `Mistake` is never given the value."""
    if not isinstance(raw, str):
        raise Mistake('must be text such as KID:HEX, { file = "PATH" } or { env = "VARIABLE" }')
    try:
        return parse_signing_key(raw)
    except ValueError as error:
        raise Mistake(str(error)) from None


def _signing_keys(raw: object) -> tuple[SigningKey, ...]:
    """Read a list of keys, each id once."""
    if not isinstance(raw, str | list | tuple):
        raise Mistake("must be a list of KID:HEX")
    keys = list_of(_signing_key)(raw)
    kids = [key.kid for key in keys]
    twice = next((index for index, kid in enumerate(kids) if kid in kids[:index]), None)
    if twice is not None:
        raise Mistake(f"repeats the id {kids[twice]}; give each key its own", part=f"[{twice}]")
    return keys


def _widths(raw: object) -> tuple[int, ...]:
    """Read a list of widths; they come out ascending, each once."""
    found = list_of(integer(1, _LONGEST_EDGE))(raw)
    if not found:
        raise Mistake("is empty; list widths in pixels: [320, 640, 1280] in a file, 320 640 1280 in a variable")
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
        MAX_DIMENSION, integer(1, _LONGEST_EDGE), "Largest `w` and `h` that a URL may ask for, in pixels."
    )
    width_policy: WidthPolicy = setting(
        WidthPolicy.ANY,
        choice(WidthPolicy),
        "What happens to a `w` or `h` (times `dpr`) that is not in `widths`: it is served (`any`), rounded up (`snap`) "
        "or refused (`strict`). The edges of a preset are always served, and so is a URL without `w` and `h`.",
    )
    widths: tuple[int, ...] = setting(LADDER, _widths, "The ladder for `width_policy`, in pixels.")
    presets: tuple[Preset, ...] = setting(
        (),
        table_of(_preset, example=f"thumb={_PRESET_VALUE}"),
        "Names for sets of parameters. With `thumb=w=200&h=200&fit=cover`, a URL may say `p=thumb`.",
    )
    params: ParamsPolicy = setting(
        ParamsPolicy.ANY,
        choice(ParamsPolicy),
        "What a URL may ask for: any output (`any`), or presets alone (`presets`), so that each URL has a `p`.",
    )
    auto_target: int = setting(
        DEFAULT_TARGET,
        integer(LEAST_TARGET, 90),
        "SSIMULACRA2 that `q=auto` aims at: 50 is medium quality, 70 high, 90 as good as lossless.",
    )
    signing_keys: tuple[SigningKey, ...] = setting(
        (),
        _signing_keys,
        'Keys for signed URLs, as KID:HEX with at least 128 bits, or `{ file = "PATH" }` or `{ env = "VARIABLE" }` '
        "for one that is there. The first one signs; the signatures of all are accepted.",
    )
    require_signature: bool = setting(
        False, switch, "Whether URLs of pictures must be signed. A signature that is given is always checked."
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
            only_presets=self.only_presets,
            widths=Widths(self.width_policy, self.widths),
            auto_target=self.auto_target,
        )

    @property
    def only_presets(self) -> bool:
        """Whether each URL must name a preset."""
        return self.params is ParamsPolicy.PRESETS

    @property
    def is_open(self) -> bool:
        """Whether anybody may ask for any output, as the service's own pages do."""
        return not self.require_signature and not self.only_presets

    @property
    def example_query(self) -> str:
        """A query that a URL may have, for examples. Presets are not named: the operator decides who knows them."""
        return "p=NAME" if self.only_presets else f"w={self.example_width}"

    @property
    def example_width(self) -> int:
        """A width that a URL may ask for, for examples."""
        if self.width_policy is WidthPolicy.STRICT and _EXAMPLE_WIDTH not in self.widths:
            return self.widths[len(self.widths) // 2]
        return min(_EXAMPLE_WIDTH, self.max_dimension)

    @property
    def signatures(self) -> Signatures:
        """The rule that signatures are checked by."""
        return Signatures(self.signing_keys, self.require_signature)

    def problems(self) -> Iterable[Problem]:
        """Yield the mistakes in combinations of settings: the settings concerned, and what is wrong."""
        if self.width_policy is not WidthPolicy.ANY and self.widths[-1] > self.max_dimension:
            yield (
                ("width_policy", "widths", "max_dimension"),
                (
                    f"widths must not be above max_dimension ({self.max_dimension}), but the largest is "
                    f"{self.widths[-1]}; set widths to the ones that you offer, or raise max_dimension"
                ),
            )
        if self.require_signature and not self.signing_keys:
            yield (
                ("require_signature", "signing_keys"),
                "require_signature needs signing_keys; without a key, no URL can be signed",
            )
        if self.only_presets and not self.presets:
            yield (
                ("params", "presets"),
                "params = presets needs presets; without one, every URL is refused",
            )
        for preset in self.presets:
            try:
                self.rules.params({"p": preset.name})
            except InvalidParam as error:
                yield ("presets", "max_dimension"), f"presets.{preset.name}: {error.detail}"
