"""The routes: the suggestions, and whether all is well."""

import time

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pyfastlm._http.application import NO_STORE, application, damaged
from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex
from pyfastlm.qac._http.parameters import read
from pyfastlm.qac.ladder import suggest


def routes(index: TermIndex) -> Starlette:
    """The application over ``index``. Index calls take microseconds, so they are not sent to a thread."""

    async def complete(request: Request) -> Response:
        asked = read(request.scope["query_string"])
        start = time.perf_counter_ns()
        try:
            found = suggest(index, asked.query, asked.k, edits=asked.edits, past=asked.past, mode=asked.mode)
        except InputError as error:
            return damaged(index, error)
        spent = (time.perf_counter_ns() - start) / 1000
        answer = {
            "query": asked.query,
            "suggestions": [suggestion._asdict() for suggestion in found],
            "microseconds": round(spent, 1),
        }
        return JSONResponse(answer, headers=NO_STORE)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "terms": len(index)}, headers=NO_STORE)

    return application("pyfastlm.qac", [Route("/complete", complete), Route("/health", health)])
