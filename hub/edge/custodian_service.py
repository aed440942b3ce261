"""The custodian as a small web service, and the transport by which an edge asks it. Run it at a third party, not at the
hub: `uvicorn` serves `service(custodian, credentials)`.

It stores no point and logs none. A provider proves who it is by a bearer token, of which only the SHA-256 is kept.
"""

import hashlib
import hmac
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from datetime import date

from fastapi import FastAPI, Header, HTTPException, Request, Response

from hub.edge.errors import CustodianRefused, UnknownEpoch
from hub.edge.oprf import POINT_BYTES, QUESTION_MAX, Ask, Custodian, points_of, question_bytes

_BODY_BYTES_MAX = QUESTION_MAX * (2 * POINT_BYTES + 4) + 64


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


def over_https(url: str, token: str, timeout_seconds: float = 10.0) -> Ask:
    """Ask a custodian's service. Plain http is refused, except to this machine itself."""
    if not url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        raise CustodianRefused(f"found {url}, expected an https address")

    def ask(epoch: int, blinded: Sequence[bytes]) -> Sequence[bytes]:
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
            f"{url.rstrip('/')}/v1/epochs/{epoch}/evaluate",
            data=question_bytes(blinded),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout_seconds) as response:  # noqa: S310 - likewise
                return points_of(response.read())
        except urllib.error.HTTPError as problem:
            raise CustodianRefused(
                f"the custodian answers {problem.code}: {problem.read(300).decode(errors='replace')}"
            ) from None
        except urllib.error.URLError as problem:
            raise CustodianRefused(
                f"no answer from the custodian ({problem.reason}): nothing was encoded, try again"
            ) from None

    return ask


def _provider(credentials: Mapping[str, str], authorization: str) -> str:
    digest = hashlib.sha256(authorization.removeprefix("Bearer ").encode()).hexdigest()
    found = [provider for provider, kept in sorted(credentials.items()) if hmac.compare_digest(kept, digest)]
    if not found:
        raise HTTPException(401, "unknown_credential")
    return found[0]
