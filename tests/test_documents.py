"""The pages for operators can be found, and the configurations in them work."""

import os
import re
import tomllib
from pathlib import Path

import pytest

from imgcdn.config import load
from tests.support.paths import ROOT

_LINK = re.compile(r"\]\(([^)#:]+\.md)\)")


def _reachable(start: Path) -> set[Path]:
    """Return the pages that can be reached from a page by links."""
    found, waiting = {start}, [start]
    while waiting:
        page = waiting.pop()
        linked = {Path(os.path.normpath(page.parent / link)) for link in _LINK.findall(page.read_text("utf-8"))}
        waiting += linked - found
        found |= linked
    return found


def test_every_page_can_be_reached_from_the_readme() -> None:
    pages = {*(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").glob("*.md")}

    assert pages - _reachable(ROOT / "README.md") == set()


@pytest.mark.parametrize("page", ["README.md", "SECURITY.md", "deploy/README.md"])
def test_the_page_about_security_is_linked_from_where_an_operator_reads(page: str) -> None:
    assert "docs/security.md)" in (ROOT / page).read_text("utf-8")


def _compose_settings() -> dict[str, str]:
    """Return the settings of compose.yaml, also those in comments, with the defaults that it gives them."""
    text = (ROOT / "deploy" / "compose.yaml").read_text("utf-8")
    lines = re.findall(r"^ +(?:# )?(IMGCDN_[A-Z_]+): (.*)$", text, re.MULTILINE)
    return {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in lines}


def test_the_settings_of_the_compose_file_work_and_limit_the_widths() -> None:
    config = load(environ=_compose_settings())

    assert config.request.width_policy.name == "SNAP"
    assert len(config.renderers.budget) == 2


def test_the_units_read_the_settings_file_and_listen_on_this_machine_alone() -> None:
    unit, listening = ((ROOT / "deploy" / name).read_text("utf-8") for name in ("imgcdn.service", "imgcdn.socket"))

    assert "\nEnvironment=IMGCDN_CONFIG=%E/imgcdn/imgcdn.toml\n" in unit
    assert re.findall(r"^ListenStream=(.*)$", listening, re.MULTILINE) == ["127.0.0.1:8000"]


_TOML = [
    pytest.param((ROOT / "deploy" / "imgcdn.toml").read_text("utf-8"), id="deploy"),
    *(
        pytest.param(block, id=f"{page.name}-{number}")
        for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
        for number, block in enumerate(
            re.findall(r"^```toml\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        )
    ),
]


@pytest.mark.parametrize("block", _TOML)
def test_the_configurations_in_the_documents_work(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CMS_TENANT", "one")
    monkeypatch.setenv("IMAGES_KEY_2025", "2025:00112233445566778899aabbccddeeff")
    secret = tmp_path / "secret"
    secret.write_text("2026:00112233445566778899aabbccddeeff\n")  # a key, and the value of a header
    file = tmp_path / "imgcdn.toml"
    file.write_text(re.sub(r'file = "[^"]*"', f'file = "{secret}"', block))

    load({"root": str(tmp_path)}, environ={}, file=file)

    assert tomllib.loads(block)
