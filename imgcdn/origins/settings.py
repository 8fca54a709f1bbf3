"""The settings of where originals come from."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from imgcdn.core.output.formats import AVIF
from imgcdn.core.request.allowlist import Pattern, shadowed
from imgcdn.core.request.origin_options import OriginOptions
from imgcdn.core.request.routes import Mount
from imgcdn.core.request.url import parse_override
from imgcdn.core.setting import (
    Problem,
    byte_count,
    checked,
    folder,
    integer,
    network,
    optional_text,
    seconds,
    setting,
    switch,
)
from imgcdn.core.setting_tables import key_part
from imgcdn.origins import entries

_YEAR_S = 31_536_000

#: Patterns that are compared with each other at start: a thousand take a second at most.
_MOST_COMPARED = 1_000

#: Pillow refuses larger pictures: twice its `Image.MAX_IMAGE_PIXELS`.
_MOST_PIXELS = 178_956_970


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginSettings:
    """Where originals come from, how they are fetched, and for how long they are fresh."""

    root: Path = setting(Path("sample_images"), folder, "Folder with the originals.")
    allow: tuple[Pattern, ...] = setting(
        (),
        entries.patterns,
        "Patterns of remote URLs that may be fetched, such as `https://images.example.com/**`. Without one, nothing "
        "remote is fetched. The first one that matches counts. It can have the options `query` and `headers`.",
    )
    mounts: tuple[Mount, ...] = setting(
        (),
        entries.mounts,
        "Paths that stand for a base URL. With `/cms=https://cms.internal/media`, `/img/cms/a.jpg` is fetched from "
        "`https://cms.internal/media/a.jpg`. A mount can have the options `query` and `headers`.",
    )
    allow_addresses: tuple[str, ...] = setting(
        (),
        checked(network),
        "Networks that origins may be in although their addresses are not public, such as `10.0.0.0/8`.",
    )
    resolve: tuple[str, ...] = setting(
        (), checked(parse_override), "Addresses of hosts, as HOST:PORT:ADDRESS. They are used instead of DNS."
    )
    ca_bundle: str = setting(
        "",
        optional_text,
        "PEM file with the authorities that sign the certificates of origins. Without it, the packaged ones are used.",
    )
    fetchers: int = setting(32, integer(1, 1024), "Originals that one HTTP worker fetches at the same time.")
    fetches_per_host: int = setting(
        8,
        integer(1, 1024),
        "Originals that one HTTP worker fetches from one host at the same time. Hosts that hang leave places for the "
        "others: a host that holds N of the `fetchers` gets another one only while more than N are free.",
    )
    connect_timeout_s: float = setting(
        3.0, seconds(0.1, 600), "Seconds for looking up and connecting to an origin, and again for the TLS handshake."
    )
    read_timeout_s: float = setting(
        10.0, seconds(0.1, 600), "Seconds that an origin may let pass without sending anything."
    )
    fetch_timeout_s: float = setting(15.0, seconds(0.1, 600), "Wall-clock seconds for one fetch, redirects included.")
    max_redirects: int = setting(5, integer(0, 20), "Redirects of an origin that one fetch follows.")
    min_ttl: int = setting(60, integer(0, _YEAR_S), "Seconds for which a remote original is fresh, at least.")
    default_ttl: int = setting(
        3600, integer(0, _YEAR_S), "Seconds for which a remote original is fresh when its origin does not say."
    )
    max_ttl: int = setting(_YEAR_S, integer(0, _YEAR_S), "Seconds for which a remote original is fresh, at most.")
    stale_while_revalidate: int = setting(
        86_400,
        integer(0, _YEAR_S),
        "Seconds for which a picture that is not fresh any more is still shown, while its origin is asked. Caches and "
        "browsers are told the same for the time after `max_age_s`. An origin may permit less.",
    )
    stale_if_error: int = setting(
        604_800,
        integer(0, _YEAR_S),
        "Seconds for which a picture that is not fresh any more is still shown when its origin fails. An origin may "
        "permit less. With 0, stored pictures are not shown either while the folder of their originals is not there.",
    )
    max_pixels: int = setting(
        64_000_000,
        integer(1, _MOST_PIXELS),
        "Pixels of an original; larger ones are refused. An animation whose frames together have more becomes a still.",
    )
    avif_input: bool = setting(
        True, switch, "Whether AVIF originals are read. Without it they are 415, and their decoder never runs."
    )
    max_source_bytes: int = setting(32 * 10**6, byte_count, "Bytes of an original; larger ones are refused.")

    def __post_init__(self) -> None:
        """Make the folder absolute, so that a later chdir does not move it."""
        object.__setattr__(self, "root", Path(os.path.abspath(self.root)))

    @property
    def refused(self) -> tuple[str, ...]:
        """The formats of originals that are not read."""
        return () if self.avif_input else (AVIF.name,)

    def warnings(self) -> Iterable[str]:
        """Yield a sentence for each thing that works, but hardly as the operator meant it."""
        for index, earlier in shadowed(self.allow[:_MOST_COMPARED]):
            pattern, other = self.allow[index].text, self.allow[earlier].text
            yield (
                f"allow[{index}], {pattern}, never counts: allow[{earlier}], {other}, comes first and matches all of "
                "its URLs; move it before that one, or leave it out"
            )
        schemes = [(f"allow[{index}]", each.scheme, each.options) for index, each in enumerate(self.allow)]
        schemes += [(f"mounts{key_part('/' + each.prefix)}", each.base.scheme, each.options) for each in self.mounts]
        for part, scheme, options in schemes:
            if scheme == "http" and _has_credentials(options):
                yield (
                    f"{part}.headers.Authorization is sent over http://, so everybody on the way can read it; use "
                    "https:// if the origin has it"
                )

    def problems(self) -> Iterable[Problem]:
        """Yield the mistakes in combinations of settings: the settings concerned, and what is wrong."""
        if not os.path.isdir(self.root):  # Path.is_dir raises for a name of more than 255 bytes
            yield ("root",), f"root: there is no folder {self.root}; name one: imgcdn serve FOLDER"
        if self.ca_bundle and not os.path.isfile(self.ca_bundle):
            text = f"ca_bundle: there is no file {self.ca_bundle}; name a PEM file, or leave ca_bundle out"
            yield ("ca_bundle",), text
        ttls = self.min_ttl, self.default_ttl, self.max_ttl
        if list(ttls) != sorted(ttls):
            text = "min_ttl, default_ttl and max_ttl must ascend; they are {}, {} and {}".format(*ttls)
            yield ("min_ttl", "default_ttl", "max_ttl"), text


def _has_credentials(options: OriginOptions) -> bool:
    return any(header.name == "Authorization" for header in options.headers)
