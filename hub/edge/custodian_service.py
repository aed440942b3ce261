"""The custodian as a small web service, and the transport by which an edge asks it. Run it at a third party, not at the
hub: `uvicorn` serves `service(custodian, credentials)`.

It stores no point and logs none. A provider proves who it is by a bearer token, of which only the SHA-256 is kept.
"""

import hashlib
import hmac
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Header, HTTPException, Request, Response

from hub.edge.errors import CustodianRefused, UnknownEpoch
from hub.edge.oprf import POINT_BYTES, QUESTION_MAX, Ask, Custodian, points_of, question_bytes

_BODY_BYTES_MAX = QUESTION_MAX * (2 * POINT_BYTES + 4) + 64
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def service(custodian: Custodian, credentials: Mapping[str, str], today: Callable[[], date] = date.today) -> FastAPI:
    """`credentials`: provider → SHA-256 (hex) of its bearer token."""
    app = FastAPI(title="Key custodian", docs_url=None, redoc_url=None)

    @app.get("/v1/epochs")
    def epochs() -> dict[str, list[dict[str, str | int]]]:
        return {"epochs": [{"epoch": check.epoch, "check": check.answer.hex()} for check in custodian.checks()]}

    @app.post("/v1/epochs/{epoch}/evaluate")
    async def evaluate(epoch: int, request: Request, authorization: str = Header("")) -> Response:
        provider = _provider(credentials, authorization)
        if int(request.headers.get("content-length") or _BODY_BYTES_MAX + 1) > _BODY_BYTES_MAX:
            raise HTTPException(413, "too_many_points")
        try:
            answers = custodian.evaluate(provider, today().toordinal(), epoch, points_of(await request.body()))
        except UnknownEpoch as problem:
            raise HTTPException(404, str(problem)) from None
        except CustodianRefused as problem:
            raise HTTPException(429 if "today" in str(problem) else 422, str(problem)) from None
        return Response(question_bytes(answers), media_type="application/json")

    return app


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Would take the token along, to wherever the answer says."""

    def redirect_request(self, *_: Any) -> None:
        """Never: the redirect is the answer."""


def over_https(url: str, token: str, timeout_seconds: float = 10.0) -> Ask:
    """Ask a custodian's service; the token goes to this address alone.

    CustodianRefused for plain http, except to this machine itself, and for an address with a login in it.
    """
    base = _address(url)
    # Plain http is for this machine alone, so it goes through nobody's proxy.
    proxies = {name: proxy for name, proxy in urllib.request.getproxies().items() if name == "https"}
    send = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler(proxies)).open

    def ask(epoch: int, blinded: Sequence[bytes]) -> Sequence[bytes]:
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
            f"{base}/v1/epochs/{epoch}/evaluate",
            data=question_bytes(blinded),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        try:
            with send(request, timeout=timeout_seconds) as response:
                return points_of(response.read())
        except urllib.error.HTTPError as problem:
            raise CustodianRefused(
                f"the custodian answers {problem.code}: {problem.read(300).decode(errors='replace')}"
            ) from None
        except (OSError, http.client.HTTPException) as problem:
            raise CustodianRefused(
                f"no answer from the custodian ({problem}): nothing was encoded, try again"
            ) from None

    return ask


def _address(url: str) -> str:
    """The address in its checked parts: what was not looked at is not called either."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise CustodianRefused("found no address of a custodian, expected https://host[:port]") from None
    if (
        not host
        or "@" in parts.netloc
        or not (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK))
    ):
        raise CustodianRefused(
            f"found {parts.scheme}://{host}, expected https (http to this machine alone) and no login in the address"
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{'' if port is None else f':{port}'}{parts.path.rstrip('/')}"


def _provider(credentials: Mapping[str, str], authorization: str) -> str:
    digest = hashlib.sha256(authorization.removeprefix("Bearer ").encode()).hexdigest()
    found = [provider for provider, kept in sorted(credentials.items()) if hmac.compare_digest(kept, digest)]
    if not found:
        raise HTTPException(401, "unknown_credential")
    return found[0]
