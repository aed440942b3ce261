"""`hub doctor` for a person or a script: from settings or a demo's file to sentences or JSON, and an exit code."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from hub.doctor.findings import Finding
from hub.doctor.look import Stack, examine
from hub.errors import UsageError
from hub.settings import Settings

ADMIN: Final = "admin"
AUDITOR: Final = "hub-auditor"


class _StackFile(msgspec.Struct, forbid_unknown_fields=True):
    bootstrap_servers: str
    principal: str
    password: str
    redis_url: str | None = None
    workers: dict[str, str] = {}
    simulated: bool = False


def stack_from_file(path: Path) -> Stack:
    """The hub that a running demo describes."""
    try:
        told = msgspec.json.decode(path.read_bytes(), type=_StackFile)
    except (OSError, msgspec.DecodeError) as problem:
        raise UsageError(f"{path} is not the file of a running demo ({type(problem).__name__}); it names one") from None
    return Stack(
        told.bootstrap_servers, told.principal, told.password, told.redis_url, told.workers, simulated=told.simulated
    )


def stack_from_settings(credentials: Path | None) -> Stack:
    """The hub of KAFKA_BOOTSTRAP_SERVERS, as the administrator, or as the auditor where the file has no other.

    REDIS_URL and HUB_CONSOLE_WORKERS (as the console has it) are looked at where they are set.
    """
    settings = Settings() if credentials is None else Settings(credentials_file=credentials)
    try:
        principal, password = ADMIN, settings.password(ADMIN)
    except UsageError:
        principal, password = AUDITOR, settings.password(AUDITOR)
    security: dict[str, str] = {"security.protocol": settings.security_protocol}
    if settings.ca_file:
        security["ssl.ca.location"] = str(settings.ca_file)
    redis_url = settings.redis_url.get_secret_value() if os.environ.get("REDIS_URL") else None
    try:
        workers = msgspec.json.decode(os.environ.get("HUB_CONSOLE_WORKERS", "{}"), type=dict[str, str])
    except msgspec.DecodeError:
        raise UsageError("HUB_CONSOLE_WORKERS is not a JSON object {name: address of the worker}; mend it") from None
    return Stack(settings.bootstrap_servers, principal, password, redis_url, workers, security)


def report(stack: Stack, as_json: bool, say: Callable[[str], None]) -> int:
    """Look, and tell. 0: nothing is wrong; 1: something is."""
    findings = examine(stack)
    if as_json:
        told = {"healthy": not findings, "findings": [finding.as_json() for finding in findings]}
        say(json.dumps(told, ensure_ascii=False))
    elif not findings:
        say("nothing is wrong")
    else:
        for finding in findings:
            say(_paragraph(finding))
    return 1 if findings else 0


def _paragraph(finding: Finding) -> str:
    return (
        f"{finding.severity.value}: {finding.kind.value}\n"
        f"  {finding.what}\n  next: {finding.next_step}\n  more: {finding.runbook}"
    )
