"""Fills somebody else's schema registry (Karapace, Confluent) from the committed lock, with the very same ids.

Five bytes in front of every record name an id of the lock, so an id that differs over there would make a reader take
one schema for another. Registries that can import take ids as given; the others count from 1, which gives the same ids
when they start empty and are filled in order. Whatever the way, each id is checked, and the first that differs ends it.
"""

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException
from typing import Any, Final

from hub.connectors.foreign_http import is_private
from hub.contracts.schemas import LockedSchema, SchemaRegistry
from hub.errors import ContractError, UsageError, WorldUnavailable

MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"
ANSWER_S: Final = 20.0


def push(registry: SchemaRegistry, url: str) -> int:
    """Bring every row of the lock there; how many were new. Safe to repeat.

    ContractError when an id stands for another schema there, WorldUnavailable when nobody answers, UsageError when the
    address is none or the registry refuses us.
    """
    there = _Registry(url)
    rows = sorted(registry.rows, key=lambda row: row.id)
    missing = []
    for row in rows:
        held = there.schema(row.id)
        if held is None:
            missing.append(row)
        elif held != row.schema:
            raise ContractError(
                f"id {row.id} stands for another schema there than for {row.subject} version {row.version}. "
                "This is not a registry of this hub: push to another, or empty it"
            )
    for row in missing:
        if (found := there.register(row)) != row.id:
            raise ContractError(
                f"{row.subject} version {row.version} got id {found} there, the lock says {row.id}. "
                "Ids must be equal: push to an empty registry, or to one that lets subjects be imported"
            )
    return len(missing)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Would take the login along, to wherever the answer says."""

    def redirect_request(self, *_: Any) -> None:
        """Never: the redirect is the answer."""


class _Registry:
    """The few requests that are needed, over the standard library: nobody runs this in a loop."""

    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(
                "SCHEMA_REGISTRY_URL is no http or https address; expected https://[user:password@]host[:port]"
            )
        self._shown = parts.hostname
        at = parts.netloc.rpartition("@")[2]
        self._base = urllib.parse.urlunsplit((parts.scheme, at, parts.path.rstrip("/"), "", ""))
        # Plain http is for this machine alone, so it goes through nobody's proxy.
        proxies = {name: url for name, url in urllib.request.getproxies().items() if name == "https"}
        self._open = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler(proxies)).open
        self._headers = {"content-type": MEDIA_TYPE, "accept": MEDIA_TYPE}
        if parts.username is not None and not is_private(parts.scheme, parts.hostname):
            raise UsageError(
                f"SCHEMA_REGISTRY_URL holds a login and leads to {parts.hostname} over http, where anybody can "
                "read it; expected https (http on loopback only)"
            )
        if parts.username is not None:
            login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
            self._headers["authorization"] = "Basic " + base64.b64encode(login.encode()).decode()

    def schema(self, schema_id: int) -> Any | None:
        """The schema that an id stands for, None when it is free."""
        answer = self._ask("GET", f"/schemas/ids/{schema_id}", absent_is_fine=True)
        try:
            return None if answer is None else json.loads(answer["schema"])
        except (ValueError, LookupError, TypeError) as problem:
            raise self._no_registry(problem) from problem

    def register(self, row: LockedSchema) -> int:
        """Register a row under its id if the registry lets us choose, else as it counts; the id that it got."""
        subject = urllib.parse.quote(row.subject, safe="")
        body: dict[str, Any] = {"schemaType": "AVRO", "schema": row.text}
        imports = self._ask("PUT", f"/mode/{subject}", {"mode": "IMPORT"}, absent_is_fine=True) is not None
        if imports:
            body |= {"id": row.id, "version": row.version}
        try:
            answer = self._ask("POST", f"/subjects/{subject}/versions", body)
        finally:
            if imports:
                self._ask("PUT", f"/mode/{subject}", {"mode": "READWRITE"}, absent_is_fine=True)
        assert answer is not None
        return int(answer["id"])

    def _ask(self, method: str, path: str, body: Any = None, *, absent_is_fine: bool = False) -> Any | None:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, self._headers, method=method)  # noqa: S310  # checked above
        try:
            with self._open(request, timeout=ANSWER_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as problem:
            if absent_is_fine and problem.code in (404, 405, 422):
                return None
            said = problem.read(300).decode(errors="replace")
            raise UsageError(
                f"the registry at {self._shown} refuses {method} {path} ({problem.code}): {said}"
            ) from problem
        except (OSError, ValueError, HTTPException) as problem:
            raise self._no_registry(problem) from problem

    def _no_registry(self, problem: Exception) -> WorldUnavailable:
        return WorldUnavailable(
            f"the registry at {self._shown} does not answer as one ({type(problem).__name__}); "
            "check SCHEMA_REGISTRY_URL"
        )
