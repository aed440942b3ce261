"""The jars of Apache Kafka: resolved by jgo, kept in the user's cache, and refused unless `jars.lock` knows their sums.

The lock is the truth about what runs here. It names coordinates, files and SHA-256 and no place to fetch from: jgo
knows Maven Central, and a mirror stands in jgo's own settings (`[repositories]` in ~/.config/jgo.conf).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hub.errors import HubError, WorldUnavailable

if TYPE_CHECKING:
    from jgo.maven import MavenContext

ENDPOINT: Final = "org.apache.kafka:kafka_2.13:4.1.1+org.slf4j:slf4j-simple:1.7.36"
"""What the lock was resolved from. `python -m hub.local.kafka --lock` after a change writes the lock anew."""
DOWNLOADS_AT_ONCE: Final = 6
DOWNLOAD_TRIES_MAX: Final = 3
DOWNLOAD_PAUSE_SECONDS: Final = 1.0
ANSWER_SECONDS_MAX: Final = 30


class JarRefused(HubError):
    """A jar is not the one that the lock names."""


@dataclass(frozen=True, slots=True)
class LockedJar:
    """One line of the lock: Maven coordinates `group:artifact:version`, file name, SHA-256 in hex."""

    coordinates: str
    file_name: str
    sha256: str


def cache_folder() -> Path:
    """Where jars and the class archive are kept: $XDG_CACHE_HOME/kraamzorg-hub, or ~/.cache/kraamzorg-hub."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        home = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
        folder = home / "kraamzorg-hub"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        raise WorldUnavailable(
            f"no cache folder could be made ({error}); set XDG_CACHE_HOME to a folder that you may write"
        ) from error
    return folder


def lock_text() -> str:
    """The committed lock, as it stands in the package."""
    return (resources.files(__package__) / "jars.lock").read_text(encoding="utf-8")


def read_lock(text: str) -> tuple[LockedJar, ...]:
    """The lock's lines, in class path order. Raises JarRefused when a line cannot be read."""
    jars: list[LockedJar] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match line.split():
            case [coordinates, file_name, sha256] if len(sha256) == 64 and Path(file_name).name == file_name:
                jars.append(LockedJar(coordinates, file_name, sha256))
            case _:
                raise JarRefused(
                    f"jars.lock, line {number} is {line!r}; expected: coordinates, file name, SHA-256. "
                    "Restore the file from git, or write it anew with `python -m hub.local.kafka --lock`"
                )
    return tuple(jars)


def class_path(
    jars: Iterable[LockedJar] | None = None,
    folder: Path | None = None,
    fetched: Callable[[LockedJar], None] = lambda jar: None,
) -> tuple[Path, ...]:
    """Every jar as a file in `folder` whose sum was just checked; what is missing is fetched first.

    `jars` defaults to the committed lock, `folder` to the user's cache. `fetched` is told of every jar that was not
    there yet. Raises JarRefused when a sum differs, WorldUnavailable when a jar cannot be fetched.
    """
    wanted = read_lock(lock_text()) if jars is None else tuple(jars)
    folder = cache_folder() / "jars" if folder is None else folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    missing = [jar for jar in wanted if not (folder / jar.file_name).exists()]
    if missing:
        _fetch(missing, folder, fetched)
    for jar in wanted:
        _check(folder / jar.file_name, jar)
    return tuple(folder / jar.file_name for jar in wanted)


def resolve_lock() -> str:
    """Resolve ENDPOINT anew and give the lock's text. The sums are of what Maven serves now: read the difference."""
    from jgo.maven import PythonResolver
    from jgo.parse import Endpoint

    with tempfile.TemporaryDirectory(prefix="kraamzorg-hub-lock-") as scratch:
        maven = _maven(Path(scratch), local=[])
        wished = [maven.create_dependency(replace(c, scope="compile")) for c in Endpoint.parse(ENDPOINT).coordinates]
        inputs, transitive = PythonResolver().resolve(wished)
        needed = [*inputs, *(dep for dep in transitive if dep.scope in ("compile", "runtime"))]
        lines = sorted(
            f"{a.groupId}:{a.artifactId}:{a.version} {a.filename} {_sha256(a.resolve())}"
            for a in (dep.artifact for dep in needed)
        )
    return "\n".join(
        [
            "# The jars of the embedded Apache Kafka: coordinates, file name, SHA-256.",
            f"# Resolved from {ENDPOINT}",
            "# by `python -m hub.local.kafka --lock`; nothing else is run.",
            *lines,
            "",
        ]
    )


def _fetch(jars: list[LockedJar], folder: Path, fetched: Callable[[LockedJar], None]) -> None:
    """Fetch side by side. A file gets its name in `folder` when it is whole and its sum is right, not before."""
    from jgo.constants import default_maven_repo

    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=folder) as incoming:
        maven = _maven(Path(incoming), local=[default_maven_repo()])

        def fetch(jar: LockedJar) -> None:
            found = _resolve(maven, jar)
            _check(found, jar)
            if not found.is_relative_to(incoming):  # from the user's own Maven repository: theirs stays where it is
                found = Path(shutil.copy(found, Path(incoming) / jar.file_name))
            found.replace(folder / jar.file_name)
            fetched(jar)

        with ThreadPoolExecutor(DOWNLOADS_AT_ONCE, thread_name_prefix="jars") as pool:
            list(pool.map(fetch, jars))


def _maven(cache: Path, local: list[Path]) -> MavenContext:
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    return MavenContext(
        repo_cache=cache,
        local_repos=local,
        remote_repos={**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL},
        timeout=ANSWER_SECONDS_MAX,
    )


def _resolve(maven: MavenContext, jar: LockedJar) -> Path:
    import requests

    group, name, version = jar.coordinates.split(":")
    artifact = maven.project(group, name).at_version(version).artifact()
    for attempt in range(1, DOWNLOAD_TRIES_MAX + 1):
        try:
            return artifact.resolve()
        except (OSError, RuntimeError, requests.RequestException) as error:
            if (part := artifact.cached_path) is not None:
                part.unlink(missing_ok=True)  # half a file must not pass for the whole at the next try
            if attempt == DOWNLOAD_TRIES_MAX:
                raise WorldUnavailable(
                    f"{jar.coordinates} could not be fetched in {DOWNLOAD_TRIES_MAX} tries "
                    f"({type(error).__name__}: {error}); the embedded Kafka needs it once, later starts are offline. "
                    "Check the network or the proxy, or name a mirror under [repositories] in ~/.config/jgo.conf"
                ) from error
            time.sleep(DOWNLOAD_PAUSE_SECONDS * attempt)
    raise AssertionError("unreachable: the last try returns or raises")


def _check(file: Path, jar: LockedJar) -> None:
    found = _sha256(file)
    if found != jar.sha256:
        raise JarRefused(
            f"{file} has SHA-256 {found}, the lock expects {jar.sha256} for {jar.coordinates}; nothing was started. "
            "Delete the file and try again; if it happens again, what you are served is not what was locked: "
            "do not run it, and tell the maintainers"
        )


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
