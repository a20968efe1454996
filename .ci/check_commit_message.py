"""Check of a commit message: `type(scope): imperative summary`, then the reason.

The first line has at most 72 characters, and a blank line follows it.
"""

import re
import sys
from pathlib import Path

MAX_LENGTH = 72
TYPES = ("feat", "fix", "perf", "refactor", "docs", "test", "build", "ci", "chore")
SUBJECT = re.compile(rf"({'|'.join(TYPES)})(\([a-z0-9_/-]+\))?!?: [^\sA-Z].*[^.\s]")
WRITTEN_BY_GIT = re.compile(r"(Merge|Revert|fixup!|squash!|amend!) ?")


def find_problems(message: str) -> list[str]:
    """Return the violations in a message; comment lines of the editor do not count."""
    lines = [line for line in message.splitlines() if not line.startswith("#")]
    subject = lines[0] if lines else ""
    if WRITTEN_BY_GIT.match(subject):
        return []
    problems = []
    if not SUBJECT.fullmatch(subject):
        types = ", ".join(TYPES)
        problems.append(f"The subject must read `type(scope): imperative summary` without a period; types: {types}.")
    if len(subject) > MAX_LENGTH:
        problems.append(f"The subject has {len(subject)} characters, limit {MAX_LENGTH}; move the reason to the body.")
    if len(lines) > 1 and lines[1].strip():
        problems.append("The second line must be blank.")
    return problems


def main() -> None:
    """Check the file that git passes to a `commit-msg` hook; exit with 1 for a violation."""
    problems = find_problems(Path(sys.argv[1]).read_text(encoding="utf-8"))
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    raise SystemExit(bool(problems))


if __name__ == "__main__":
    main()
