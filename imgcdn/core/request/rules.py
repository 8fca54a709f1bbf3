"""The rules of one service for parameters: its largest edge, its presets, its widths."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from imgcdn.core.output.geometry import Fit, Position, Smart
from imgcdn.core.request.arguments import MOST, Choices
from imgcdn.core.request.parameters import OF_THE_REQUEST, PRESET_NAME
from imgcdn.core.request.params import Params, collect, parse_dpr, parse_params
from imgcdn.core.request.widths import Widths
from imgcdn.core.request.words import FITS, FORMAT_WORDS, PLACES
from imgcdn.errors import InvalidParam


@dataclass(frozen=True, slots=True)
class Preset:
    """
    A name for a set of parameters.

    Args:
        name: Its name in `p`.
        arguments: Canonical parameter names and values as text, each name once.
    """

    name: str
    arguments: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """
    What a URL may ask for.

    Args:
        max_dimension: Largest output edge in pixels.
        presets: The presets that `p` may name.
        only_presets: Whether a URL must name a preset, and may have no other parameter of the output.
        widths: The rule for `w` and `h` in a URL. Those of a preset are the operator's own choice and need not obey it.
        auto_target: SSIMULACRA2 that q=auto aims at.
    """

    max_dimension: int
    presets: tuple[Preset, ...]
    only_presets: bool
    widths: Widths
    auto_target: int

    def params(
        self,
        arguments: Mapping[str, str],
        *,
        fits: Mapping[str, Fit] = FITS,
        positions: Mapping[str, Position | Smart] = PLACES,
        formats: Mapping[str, str | None] = FORMAT_WORDS,
        has_presets: bool = True,
    ) -> Params:
        """
        Read the parameters of the output, including those of a preset.

        Args:
            arguments: From `core.request.params.collect`.
            fits, positions, formats: As for `core.request.params.parse_params`.
            has_presets: Whether a URL of this form can name a preset.

        Raises:
            InvalidParam: A value is out of range, or this service does not allow it.
        """
        if self.only_presets and not has_presets:
            example = f"/img/photo.jpg?p={self.presets[0].name}" if self.presets else "/img/photo.jpg?p=NAME"
            detail = f"URLs of this form cannot name a preset, and this service requires one; use {example}"
            raise InvalidParam(detail, param="p")
        full = self._expanded(arguments)
        params = parse_params(full, max_dimension=self.max_dimension, fits=fits, positions=positions, formats=formats)
        # A `dpr` in the URL multiplies the edges of a preset, too, so that they are no longer what the operator chose.
        chosen = full if "dpr" in arguments else arguments
        dpr = parse_dpr(full)
        width = self.widths.resolve(params.width, name="w", dpr=dpr) if "w" in chosen else params.width
        height = self.widths.resolve(params.height, name="h", dpr=dpr) if "h" in chosen else params.height
        return replace(params, width=width, height=height, target=self.auto_target)

    def _expanded(self, arguments: Mapping[str, str]) -> Mapping[str, str]:
        if self.only_presets:
            self._check_names_a_preset(arguments)
        if "p" not in arguments:
            return arguments
        presets = {preset.name: preset.arguments for preset in self.presets}
        if not presets:
            raise InvalidParam("p must be the name of a preset, and this service has none", param="p")
        return {**dict(Choices(presets).parse(arguments["p"], "p")), **arguments}

    def _check_names_a_preset(self, arguments: Mapping[str, str]) -> None:
        hint = f"use one of the presets: {', '.join(f'p={preset.name}' for preset in self.presets)}"
        for name in arguments:
            if name not in OF_THE_REQUEST:
                raise InvalidParam(f"{name} is not allowed here; {hint}", param=name)
        # A URL alone asks for the whole picture in full size: the dearest output, and one that no preset offers.
        if "p" not in arguments:
            raise InvalidParam(f"p is required here; {hint}", param="p")


def parse_preset(name: str, query: str) -> Preset:
    """
    Read a preset from the settings.

    Args:
        name: The name for `p`.
        query: The parameters as in a URL, such as `w=200&h=200&fit=cover`.

    Raises:
        InvalidParam: The name or a parameter is not valid, or a parameter is one of the request.

    >>> parse_preset("thumb", "width=200&fit=cover").arguments
    (('w', '200'), ('fit', 'cover'))
    """
    PRESET_NAME.parse(name, "a preset's name")
    arguments = collect(parse_qsl(query, keep_blank_values=True))
    for given in arguments:
        if given in OF_THE_REQUEST:
            raise InvalidParam(f"{given} belongs to a request; a preset cannot have it", param=given)
    # The setting max_dimension may not have been read yet, so the largest number is allowed here.
    parse_params(arguments, max_dimension=MOST)
    return Preset(name, tuple(arguments.items()))
