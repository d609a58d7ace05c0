"""An application: its page and the page's files, its own routes, and how it refuses."""

import logging
from collections.abc import Sequence
from importlib.resources import files

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pyfastlm._http.guard import refusal
from pyfastlm._http.refused import Refused

NO_STORE = {"cache-control": "no-store"}
log = logging.getLogger("pyfastlm.http")


def application(package: str, routes: Sequence[Route]) -> Starlette:
    """``routes``, and the page of ``package``: its ``page.html``, ``page.js`` and ``page.css``.

    Before its own style stands that of all pages, and ``shared.js`` has what they share.
    """
    kept = {name: files(package).joinpath(name).read_bytes() for name in ("page.html", "page.css", "page.js")}
    shared = {name: files(__package__).joinpath(name).read_bytes() for name in ("shared.css", "shared.js")}
    pages = [
        _file("/", kept["page.html"], "text/html"),
        _file("/page.css", shared["shared.css"] + kept["page.css"], "text/css"),
        _file("/page.js", kept["page.js"], "text/javascript"),
        _file("/shared.js", shared["shared.js"], "text/javascript"),
    ]
    paths = ", ".join(route.path for route in (*pages, *routes))

    async def http_error(_: Request, error: Exception) -> Response:
        """The framework's own: no such path, no such method."""
        assert isinstance(error, HTTPException)
        if error.status_code == 405:
            methods = sorted((error.headers or {}).get("Allow", "").split(", "))
            headers = {"allow": ", ".join(methods)}
            return refusal(Refused(405, f"method: expected {' or '.join(methods)}", headers))
        return refusal(Refused(error.status_code, f"path: expected one of {paths}"))

    app = Starlette(
        routes=[*pages, *routes], exception_handlers={Refused: _refused, HTTPException: http_error}
    )
    app.router.redirect_slashes = False
    return app


def damaged(index: object, error: Exception) -> Response:
    """The answer where an index fails though all that came from outside has been checked: it is the file."""
    log.error("%r: %s", index, error)
    return JSONResponse({"error": "the index cannot answer; its file may be damaged"}, 500)


def _file(path: str, content: bytes, kind: str) -> Route:
    async def send(_: Request) -> Response:
        return Response(content, media_type=kind, headers={"cache-control": "no-cache"})

    return Route(path, send)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return refusal(error)
