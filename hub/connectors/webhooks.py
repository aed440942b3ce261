"""Alerts to the systems of people on duty, as webhooks: who may be called, what is sent, and how it is signed.

The body is a CloudEvent in JSON by the NL GOV profile 1.1; headers and signature follow Standard Webhooks. Nobody is
called who does not stand in the file of endpoints: https only (http on loopback, for the local stack), no redirects, no
proxy. An alert names regions, providers and tenants and never a client, so nothing has to be left out of it here.

`webhook-id` is the alert's identity with the number of this change: the same for every attempt, another for the next
change of the same alert. A receiver that remembers it never acts twice, and never misses a closing.
"""

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
from standardwebhooks import Webhook

from hub import __version__
from hub.connectors.foreign_http import asked_pause_s, is_private
from hub.domain.facts import AlertChanged
from hub.domain.identifiers import RegionCode
from hub.domain.words import AlertSeverity
from hub.errors import UsageError

ENDPOINTS_MAX: Final = 50
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64
"""Standard Webhooks: a secret has between 24 and 64 bytes."""
SECRETS_MAX: Final = 2
"""Two while a secret is replaced: both sign, so the receiver may change over at its own time."""
ATTEMPT_S: Final = 3.0
"""How long one attempt may take, the answer included."""
ANSWER_BYTES_MAX: Final = 1024
"""As much of an answer is read before the connection is let go; nothing in it is looked at."""
_OF_THE_RECEIVER: Final = frozenset({401, 403, 404, 405, 407, 408, 421, 425, 429})
"""Answers of the 4xx that are about the address, our right to it or the moment, and not about what was sent."""
_SEVERITIES: Final = (AlertSeverity.INFO, AlertSeverity.WARNING, AlertSeverity.CRITICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One registered receiver. `regions` empty: all. `severity`: the least that it wants to hear of."""

    name: str
    url: str
    secrets: tuple[str, ...] = field(repr=False)
    regions: tuple[RegionCode, ...] = ()
    severity: AlertSeverity = AlertSeverity.INFO

    def wants(self, alert: AlertChanged) -> bool:
        """Whether an alert is for this receiver."""
        grave = _SEVERITIES.index(alert.severity) >= _SEVERITIES.index(self.severity)
        return grave and (not self.regions or alert.region in self.regions)


def load_endpoints(path: Path) -> tuple[Endpoint, ...]:
    """The receivers of a JSON file, a list of objects shaped like `Endpoint`. UsageError: what is wrong, and where.

    No message quotes a secret or the path of an address, which may hold one.
    """
    try:
        raw = path.read_bytes()
    except OSError as problem:
        raise UsageError(f"cannot read the webhook endpoints from {path}: {type(problem).__name__}.") from None
    try:
        endpoints = msgspec.json.decode(raw, type=tuple[Endpoint, ...], strict=True)
    except msgspec.DecodeError as problem:
        raise UsageError(f"{path}: {problem}. Expected a list of objects with name, url and secrets.") from None
    if len(endpoints) > ENDPOINTS_MAX:
        raise UsageError(f"{path}: found {len(endpoints)} endpoints, expected at most {ENDPOINTS_MAX}.")
    names = [endpoint.name for endpoint in endpoints]
    for n, endpoint in enumerate(endpoints):
        if fault := _fault(endpoint, names[:n]):
            raise UsageError(f"{path}: endpoint {n + 1}: {fault}")
    return endpoints


def _fault(endpoint: Endpoint, earlier: list[str]) -> str | None:
    name = endpoint.name
    if not (name.isascii() and name.replace("-", "").isalnum() and name.islower() and len(name) <= 40):
        return f"found name {name!r}, expected at most 40 lower-case letters, digits and dashes"
    if name in earlier:
        return f"found the name {name!r} twice, expected each once: it names a consumer group"
    try:
        parts = urlsplit(endpoint.url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "found an address that is none, expected https://host/path"
    if not host or parts.username or parts.password or parts.fragment:
        return "found an address without a host, or with a user or a fragment in it, expected https://host/path"
    if not is_private(parts.scheme, host):
        return f"found {parts.scheme or 'no scheme'} to {host}, expected https (http on loopback only)"
    if not 1 <= len(endpoint.secrets) <= SECRETS_MAX:
        return f"found {len(endpoint.secrets)} secrets, expected 1, or {SECRETS_MAX} while one is replaced"
    for n, secret in enumerate(endpoint.secrets, start=1):
        size = _secret_bytes(secret)
        if size is None or not SECRET_BYTES_MIN <= size <= SECRET_BYTES_MAX:
            return (
                f"secret {n}: expected whsec_ and {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes in base64; make one "
                "from a random generator"
            )
    return None


def _secret_bytes(secret: str) -> int | None:
    if not secret.startswith("whsec_"):
        return None
    try:
        return len(base64.b64decode(secret.removeprefix("whsec_"), validate=True))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One change of one alert, ready to be sent as often as it takes."""

    message_id: str
    body: str


def delivery_of(alert: AlertChanged, headers: dict[str, str]) -> Delivery:
    """The CloudEvent of an alert as it stands on the topic; `headers` are those of the record."""
    region, sequence = headers["ce_hubregion"], headers["ce_sequence"]
    data = {name: value for name, value in msgspec.to_builtins(alert).items() if name != "recipient"}
    event = {
        "specversion": "1.0",
        "id": headers["ce_id"],
        "source": headers["ce_source"],
        "type": headers["ce_type"],
        "time": headers["ce_time"],
        "subject": alert.alert_id,
        "datacontenttype": "application/json",
        "sequence": sequence,
        "sequencetype": "Integer",
        "data": data,
    }
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return Delivery(message_id=f"{alert.alert_id}.{region}.{sequence}", body=body)


def signed_headers(endpoint: Endpoint, delivery: Delivery, at: datetime) -> dict[str, str]:
    """Headers of one attempt: the signature is over id, time of the attempt and body, by each secret in turn."""
    at = at.astimezone(UTC)  # the library takes the clock's digits for UTC, whatever zone they are in
    signatures = (Webhook(secret).sign(delivery.message_id, at, delivery.body) for secret in endpoint.secrets)
    return {
        "content-type": "application/cloudevents+json; charset=utf-8",
        "user-agent": f"kraamzorg-waitlist-hub/{__version__}",
        "webhook-id": delivery.message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


class Answer(StrEnum):
    """What came of one attempt."""

    TAKEN = "taken"
    FAILED = "failed"
    """The receiver is away, or does not know us: the next change would fare no better."""
    REFUSED = "refused"
    """It will not have this one (4xx): the next may fare better."""
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of it, the status (0: no answer), and how long the receiver asks to be left alone."""

    answer: Answer
    status: int = 0
    retry_after_s: float = 0.0


class Caller:
    """Calls registered receivers, one connection pool for all."""

    def __init__(self) -> None:
        """Not open yet: the pool belongs to a running loop."""
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the pool."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=ATTEMPT_S), trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def call(self, endpoint: Endpoint, delivery: Delivery) -> Attempt:
        """One attempt. Whatever goes wrong out there is an answer, never an exception."""
        assert self._session is not None, "open the caller first"
        headers = signed_headers(endpoint, delivery, datetime.now(UTC))
        try:
            async with self._session.post(
                endpoint.url, data=delivery.body.encode(), headers=headers, allow_redirects=False
            ) as response:
                await response.content.read(ANSWER_BYTES_MAX)
                return _judged(response.status, response.headers.get("retry-after", ""))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return Attempt(Answer.FAILED)

    async def close(self) -> None:
        """Let every connection go."""
        if self._session is not None:
            await self._session.close()


def _judged(status: int, retry_after: str) -> Attempt:
    if 200 <= status < 300:
        return Attempt(Answer.TAKEN, status)
    if status == 410:
        return Attempt(Answer.GONE, status)
    refused = 400 <= status < 500 and status not in _OF_THE_RECEIVER
    return Attempt(
        Answer.REFUSED if refused else Answer.FAILED, status, asked_pause_s(retry_after, datetime.now(UTC))
    )  # fmt: skip
