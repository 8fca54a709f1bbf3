"""What an audit of the dependencies makes of a report of pip-audit."""

from pathlib import Path
from typing import Any

import pytest

from scripts.audit import judge, main


@pytest.mark.parametrize(
    ("dependencies", "expected"),
    [
        pytest.param([{"name": "flask", "version": "3.1.3", "vulns": []}], [], id="no flaw"),
        pytest.param(
            [
                {
                    "name": "pillow",
                    "version": "9.0.0",
                    "vulns": [{"id": "CVE-1", "fix_versions": ["9.0.1"]}, {"id": "CVE-2", "fix_versions": []}],
                }
            ],
            [
                "pillow 9.0.0 has a known flaw: CVE-1, fixed in 9.0.1",
                "pillow 9.0.0 has a known flaw: CVE-2, fixed in no version yet",
            ],
            id="flaws",
        ),
        pytest.param(
            [{"name": "flask", "version": "3.1.3", "vulns": []}, {"name": "pillow", "skip_reason": "not found"}],
            ["1 of 2 could not be looked up (is there a network?): pillow"],
            id="not looked up",
        ),
    ],
)
def test_a_report_is_judged(dependencies: list[dict[str, Any]], expected: list[str]) -> None:
    assert judge({"dependencies": dependencies}) == expected


def test_an_audit_that_ends_without_a_report_says_what_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "pip-audit"
    program.write_text("#!/bin/sh\necho 'no route to host' >&2\nexit 1\n")
    program.chmod(0o755)
    assert main(str(program)) == 1
    assert "this needs the network (no route to host)" in capsys.readouterr().err
