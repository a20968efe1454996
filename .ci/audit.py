"""Says whether anything that is installed has a known weakness. Fails if so; where nobody can tell, it says that and does not.

pip-audit asks PyPI. Without a network it ends as if something were wrong, and a mirror without advisories looks as if nothing
were: so what counts is its report, and of how many packages it tells.
"""

import json
import subprocess
import sys

SECONDS = 25
COMMAND = ["pip-audit", "--local", "--skip-editable", "--progress-spinner=off", "--timeout=5", "--format=json"]


def audit() -> str | None:
    """Print what is known and return None, or return why nothing is. Raise SystemExit (1) for a weakness."""
    try:
        done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603
        packages = json.loads(done.stdout)["dependencies"]
    except FileNotFoundError:
        return "pip-audit is not installed"
    except subprocess.TimeoutExpired:
        return f"no answer within {SECONDS} seconds"
    except (ValueError, KeyError, TypeError):
        said = done.stderr.strip().splitlines() or [f"pip-audit ended with code {done.returncode}"]
        return said[-1]
    known = [package for package in packages if "skip_reason" not in package]
    weak = [(package, weakness) for package in known for weakness in package["vulns"]]
    for package, weakness in weak:
        mended = ", ".join(weakness["fix_versions"]) or "no version yet"
        sys.stdout.write(f"{package['name']} {package['version']}: {weakness['id']}, mended in {mended}\n")
    if weak:
        raise SystemExit(1)
    if not known:
        return f"advisories were found for none of {len(packages)} packages"
    sys.stdout.write(f"No known weakness in {len(known)} of {len(packages)} packages.\n")
    return None


if __name__ == "__main__":
    if reason := audit():
        sys.stdout.write(f"not audited: {reason}\n")
