"""Helpers for the tests of settings."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from imgcdn.config import DECLARED, Config, load
from imgcdn.errors import ConfigError


def value(config: Config, name: str) -> object:
    """Return a setting by its flat name."""
    return getattr(getattr(config, DECLARED[name][0]), name)


def mistakes(
    flags: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None, file: Path | None = None
) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(flags, environ or {}, file)
    return caught.value.problems


def written(text: str) -> Path:
    file = Path("written.toml")
    file.write_text(text, encoding="utf-8")
    return file
