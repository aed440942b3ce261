"""A named crash point ends the process that was asked to die there, and no other."""

import os
from pathlib import Path

import pytest

from hub.streams.crash import EXIT_CRASH_POINT, CrashPoint, crash_point


class Died(Exception):
    """What `os._exit` becomes here."""


@pytest.fixture
def arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that HUB_CRASH_AT names; not there yet."""

    def die(status: int) -> None:
        assert status == EXIT_CRASH_POINT
        raise Died

    monkeypatch.setattr(os, "_exit", die)
    monkeypatch.setenv("HUB_CRASH_AT", str(tmp_path / "arm"))
    return tmp_path / "arm"


def test_without_the_file_nobody_dies(arm: Path) -> None:
    """A worker that may be asked lives like any other."""
    for point in CrashPoint:
        crash_point(point)


def test_a_process_dies_at_the_nth_pass_and_takes_the_file_with_it(arm: Path) -> None:
    """So its successor, which passes the same point, lives."""
    arm.write_text("after_publish@2", encoding="utf-8")
    crash_point(CrashPoint.AFTER_PUBLISH)
    crash_point(CrashPoint.BEFORE_SNAPSHOT)
    with pytest.raises(Died):
        crash_point(CrashPoint.AFTER_PUBLISH)
    assert not arm.exists()
    crash_point(CrashPoint.AFTER_PUBLISH)


def test_passes_before_the_file_came_do_not_count(arm: Path) -> None:
    """The count starts with the request."""
    arm.write_text("after_stage@2", encoding="utf-8")
    crash_point(CrashPoint.AFTER_STAGE)
    arm.unlink()
    crash_point(CrashPoint.AFTER_STAGE)
    arm.write_text("after_stage@2", encoding="utf-8")
    crash_point(CrashPoint.AFTER_STAGE)
    assert arm.exists()
