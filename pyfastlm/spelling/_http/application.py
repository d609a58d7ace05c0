"""The routes: corrections, new names, and whether all is well."""

import math
import time

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pyfastlm._http.application import NO_STORE, application, damaged
from pyfastlm._http.fields import grouped, once, text
from pyfastlm._http.refused import Refused
from pyfastlm.errors import InputError
from pyfastlm.spelling._http import names
from pyfastlm.spelling.speller import Speller

MOST_ADDED = 10_000  # names that a server takes while it runs


def routes(speller: Speller, *, adding: bool) -> Starlette:
    """The application over ``speller``: one query after the other, in the thread of the server."""
    index = speller.index
    added = 0

    def normal(query: str) -> str:
        return " ".join(index.normal(query).split())

    async def correct(request: Request) -> Response:
        given = once(grouped(request.scope["query_string"], ("q",), most=2))
        if "q" not in given:
            raise Refused(400, "q: expected a query, got nothing")
        query = text("q", given["q"])
        start = time.perf_counter_ns()
        try:
            found = speller.correct(query)
        except InputError as error:
            return damaged(index, error)
        spent = (time.perf_counter_ns() - start) / 1000
        answer = {
            "query": query,
            "text": found.text,
            "changed": found.changed,
            "catalogued": normal(query) in index,
            "margin": found.margin if math.isfinite(found.margin) else None,
            "threshold": speller.threshold,
            "candidates": [candidate._asdict() for candidate in found.candidates],
            "microseconds": round(spent, 1),
        }
        return JSONResponse(answer, headers=NO_STORE)

    async def add(request: Request) -> Response:
        nonlocal added
        if not adding:
            raise Refused(403, "names: this server takes none")
        entry = await names.read(request)
        name = normal(entry.name)
        if not name:
            raise Refused(400, "name: expected a text that is not empty")
        known = name in index
        if not known and added >= MOST_ADDED:
            raise Refused(403, f"names: expected at most {MOST_ADDED:,} new ones; build an index of them")
        start = time.perf_counter_ns()
        index.add(name, entry.popularity)
        spent = (time.perf_counter_ns() - start) / 1000
        added += not known
        answer = {
            "name": name,
            "popularity": entry.popularity,
            "known": known,
            "names": len(index),
            "microseconds": round(spent, 1),
        }
        return JSONResponse(answer, 200 if known else 201, headers=NO_STORE)

    async def health(_: Request) -> Response:
        facts = {"status": "ok", "names": len(index), "added": added, "adding": adding}
        return JSONResponse(facts, headers=NO_STORE)

    return application(
        "pyfastlm.spelling",
        [Route("/correct", correct), Route("/names", add, methods=["POST"]), Route("/health", health)],
    )
