"""
Whether a known flaw concerns a pinned dependency: `make audit`.

It runs pip-audit, which asks PyPI for the advisories of each version in constraints.txt. A version that PyPI does not
know, as on a machine without network, is not a version without flaws: the audit then fails, and says so.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

CONSTRAINTS = "constraints.txt"


def judge(report: Mapping[str, Any]) -> list[str]:
    """Return what is wrong, one line each, in a report of pip-audit (`--format json`)."""
    every = report["dependencies"]
    flaws = [
        f"{each['name']} {each['version']} has a known flaw: {flaw['id']}, "
        f"fixed in {', '.join(flaw['fix_versions']) or 'no version yet'}"
        for each in every
        for flaw in each.get("vulns", ())
    ]
    unknown = [each["name"] for each in every if "skip_reason" in each]
    if unknown:
        some = ", ".join(unknown[:5]) + (", ..." if unknown[5:] else "")
        flaws.append(f"{len(unknown)} of {len(every)} could not be looked up (is there a network?): {some}")
    return flaws


def main(program: str) -> int:
    """
    Run the audit and return its exit status.

    Args:
        program: The path of pip-audit.
    """
    command = [program, "--requirement", CONSTRAINTS, "--no-deps", "--disable-pip", "--format", "json"]
    ran = subprocess.run([*command, "--progress-spinner", "off"], capture_output=True, text=True, check=False)
    if not ran.stdout.strip():
        last = (ran.stderr.strip() or "pip-audit printed nothing").splitlines()[-1]
        print(f"make audit: the advisories could not be read; this needs the network ({last})", file=sys.stderr)
        return 1
    report = json.loads(ran.stdout)
    problems = judge(report)
    print("\n".join(problems) or f"No known flaw concerns the {len(report['dependencies'])} pinned dependencies.")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
