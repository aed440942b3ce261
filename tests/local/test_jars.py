"""Only jars whose sums stand in the committed lock are run."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from hub.errors import WorldUnavailable
from hub.local import jars
from hub.local.jars import JarRefused, LockedJar

JAR = LockedJar("org.example:piece:1.0", "piece-1.0.jar", hashlib.sha256(b"what was locked").hexdigest())


def test_a_jar_with_the_locked_sum_is_used(tmp_path: Path) -> None:
    """What is in the cache is used without a network."""
    (tmp_path / JAR.file_name).write_bytes(b"what was locked")
    assert jars.class_path([JAR], tmp_path) == (tmp_path / JAR.file_name,)


def test_a_changed_jar_in_the_cache_is_refused(tmp_path: Path) -> None:
    """One byte is enough; the message names the file, both sums and what to do."""
    (tmp_path / JAR.file_name).write_bytes(b"what was locked!")
    with pytest.raises(JarRefused) as refused:
        jars.class_path([JAR], tmp_path)
    message = str(refused.value)
    assert str(tmp_path / JAR.file_name) in message
    assert JAR.sha256 in message
    assert hashlib.sha256(b"what was locked!").hexdigest() in message
    assert "Delete the file and try again" in message


def test_a_fetched_jar_with_another_sum_never_reaches_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong jar is found out before it gets its name. The user's own Maven repository stands in for a server."""
    cache = maven_home(tmp_path, monkeypatch, b"another jar")
    with pytest.raises(JarRefused):
        jars.class_path([JAR], cache)
    assert list(cache.iterdir()) == []


def test_a_missing_jar_is_taken_from_the_users_own_maven_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Maven has fetched before need not be fetched again; it stays where it was."""
    cache = maven_home(tmp_path, monkeypatch, b"what was locked")
    told: list[LockedJar] = []
    assert jars.class_path([JAR], cache, told.append) == (cache / JAR.file_name,)
    assert told == [JAR]
    assert [file.name for file in cache.iterdir()] == [JAR.file_name]
    assert len(list((tmp_path / "m2").rglob("*.jar"))) == 1


def test_without_a_network_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first start without a network cannot succeed, but it can be understood."""
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setattr(jars, "DOWNLOAD_PAUSE_SECONDS", 0.0)
    with pytest.raises(WorldUnavailable, match=r"org\.example:piece:1\.0 could not be fetched in 3 tries"):
        jars.class_path([JAR], tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_lock_names_coordinates_files_and_sums_and_no_place() -> None:
    """A lock that names a server would break behind a mirror."""
    locked = jars.read_lock(jars.lock_text())
    assert len({jar.file_name for jar in locked}) == len(locked)
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) for jar in locked)
    assert all(len(jar.coordinates.split(":")) == 3 for jar in locked)
    assert set(jars.ENDPOINT.split("+")) <= {jar.coordinates for jar in locked}
    assert "://" not in jars.lock_text()


def test_a_line_that_leads_out_of_the_cache_is_refused() -> None:
    """A file name is a name, not a path."""
    with pytest.raises(JarRefused, match="line 1"):
        jars.read_lock(f"a:b:1 ../b.jar {'0' * 64}")


def test_the_cache_follows_the_users_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$XDG_CACHE_HOME where it is set, ~/.cache otherwise, and private in both cases."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert jars.cache_folder() == tmp_path / "elsewhere" / "kraamzorg-hub"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert jars.cache_folder() == tmp_path / "home" / ".cache" / "kraamzorg-hub"
    assert jars.cache_folder().stat().st_mode & 0o077 == 0


def maven_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> Path:
    """A Maven repository that holds JAR with this content; an empty cache."""
    held = tmp_path / "m2" / "org" / "example" / "piece" / "1.0" / JAR.file_name
    held.parent.mkdir(parents=True)
    held.write_bytes(content)
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    return tmp_path / "cache"
