"""Vulnerability check of the installed packages.

It fails when a package has a known vulnerability, and only prints a message when no advisories are available. pip-audit queries
PyPI. Without a network it fails, and with a mirror that has no advisories it succeeds. This script therefore evaluates its
report and the number of packages that the report covers.
"""

import json
import subprocess
import sys

SECONDS = 25
COMMAND = ["pip-audit", "--local", "--skip-editable", "--progress-spinner=off", "--timeout=5", "--format=json"]


def audit() -> str | None:
    """Print the result and return None, or return why there is no result.

    Raise SystemExit (1) for a vulnerability.
    """
    try:
        done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603
        packages = json.loads(done.stdout)["dependencies"]
    except FileNotFoundError:
        return "pip-audit is not installed"
    except subprocess.TimeoutExpired:
        return f"no answer within {SECONDS} seconds"
    except (ValueError, KeyError, TypeError):
        messages = done.stderr.strip().splitlines() or [f"pip-audit exited with code {done.returncode}"]
        return messages[-1]
    known = [package for package in packages if "skip_reason" not in package]
    vulnerable = [(package, vulnerability) for package in known for vulnerability in package["vulns"]]
    for package, vulnerability in vulnerable:
        fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
        sys.stdout.write(f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in {fixed}\n")
    if vulnerable:
        raise SystemExit(1)
    if not known:
        return f"no advisories found for any of {len(packages)} packages"
    sys.stdout.write(f"No known vulnerability in {len(known)} of {len(packages)} packages.\n")
    return None


if __name__ == "__main__":
    if reason := audit():
        sys.stdout.write(f"not audited: {reason}\n")
