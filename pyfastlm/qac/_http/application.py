"""The routes: the page, its two files, the suggestions, and whether all is well."""

import logging
import time
from importlib.resources import files

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex
from pyfastlm.qac._http.guard import refusal
from pyfastlm.qac._http.parameters import Refused, read
from pyfastlm.qac.ladder import suggest

METHODS = ("GET", "HEAD")
PAGE = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
log = logging.getLogger("pyfastlm.qac")


def routes(index: TermIndex) -> Starlette:
    """The application over ``index``. Index calls take microseconds, so they are not sent to a thread."""

    async def complete(request: Request) -> Response:
        asked = read(request.scope["query_string"])
        start = time.perf_counter_ns()
        try:
            found = suggest(index, asked.query, asked.k, edits=asked.edits, past=asked.past, mode=asked.mode)
        except InputError as error:
            # Everything that came from outside has been checked: it is the file.
            log.error("%r: %s", index, error)
            return JSONResponse({"error": "the index cannot answer; its file may be damaged"}, 500)
        spent = (time.perf_counter_ns() - start) / 1000
        answer = {
            "query": asked.query,
            "suggestions": [suggestion._asdict() for suggestion in found],
            "microseconds": round(spent, 1),
        }
        return JSONResponse(answer, headers={"cache-control": "no-store"})

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "terms": len(index)}, headers={"cache-control": "no-store"})

    app = Starlette(
        routes=[
            *(_file(path, *file) for path, file in PAGE.items()),
            Route("/complete", complete),
            Route("/health", health),
        ],
        exception_handlers={Refused: _refused, HTTPException: _http_error},
    )
    app.router.redirect_slashes = False
    return app


def _file(path: str, name: str, kind: str) -> Route:
    content = files("pyfastlm.qac").joinpath(name).read_bytes()

    async def send(_: Request) -> Response:
        return Response(content, media_type=kind, headers={"cache-control": "no-cache"})

    return Route(path, send)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return refusal(error)


async def _http_error(request: Request, error: Exception) -> Response:
    """The framework's own: no such path, no such method."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return refusal(Refused(405, "method: expected GET or HEAD", {"allow": ", ".join(METHODS)}))
    return refusal(
        Refused(error.status_code, f"path: expected one of {', '.join([*PAGE, '/complete', '/health'])}")
    )
