"""People who type into `pyfastlm qac serve`, many at a time: the load of a test and of a benchmark."""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit


@dataclass
class Load:
    """What came of it: milliseconds of each request, microseconds of each look-up, and what went wrong."""

    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)
    index: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def percentile(self, percent: float) -> float:
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]

    def __str__(self) -> str:
        rate = len(self.milliseconds) / self.seconds
        spread = ", ".join(f"p{percent} {self.percentile(percent):.1f}" for percent in (50, 90, 99, 99.9))
        index, worst = sorted(self.index), max(self.milliseconds)
        return (
            f"{len(self.milliseconds):,} requests in {self.seconds:.1f} s, {rate:,.0f} a second; "
            f"ms: {spread}, max {worst:.1f}; look-up, us: p50 {index[len(index) // 2]:.0f}, "
            f"p99 {index[int(len(index) * 0.99)]:.0f}; errors: {len(self.errors)}"
        )


def type_at(
    address: str, searches: Sequence[str], *, clients: int, seconds: float, pause: float, seed: int = 0
) -> Load:
    """``clients`` type ``searches`` a key at a time, ``pause`` seconds on average between answer and key.

    Each has one connection, and sends what it has searched for before. Ends by itself.
    """
    load = Load()
    start = time.perf_counter()
    asyncio.run(asyncio.wait_for(_all(address, searches, clients, seconds, pause, seed, load), seconds + 30))
    load.seconds = time.perf_counter() - start
    return load


async def _all(
    address: str, searches: Sequence[str], clients: int, seconds: float, pause: float, seed: int, load: Load
) -> None:
    end = time.perf_counter() + seconds
    parts = urlsplit(address)
    assert parts.hostname == "127.0.0.1", "loopback only"
    typists = (
        _typist(
            parts.hostname, parts.port or 0, searches, end, pause, random.Random(seed * clients + n), load
        )
        for n in range(clients)
    )
    await asyncio.gather(*typists)


async def _typist(
    host: str,
    port: int,
    searches: Sequence[str],
    end: float,
    pause: float,
    rng: random.Random,
    load: Load,
) -> None:
    past: list[str] = []
    try:
        reader, writer = await asyncio.open_connection(host, port)
        while time.perf_counter() < end:
            search = rng.choice(searches)
            for length in range(1, len(search) + 1):
                if pause:
                    await asyncio.sleep(rng.uniform(0, 2 * pause))
                if time.perf_counter() >= end:
                    break
                await _key(reader, writer, search[:length], past, load)
            past = [*past, search][-4:]
        writer.close()
        await writer.wait_closed()
    except (OSError, EOFError, ValueError) as error:
        load.errors.append(f"{type(error).__name__}: {error}")


async def _key(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: str, past: list[str], load: Load
) -> None:
    target = urlencode([("q", text), *(("past", search) for search in past)])
    start = time.perf_counter()
    writer.write(f"GET /complete?{target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
    size = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
    body = await reader.readexactly(size)
    load.milliseconds.append(1000 * (time.perf_counter() - start))
    if not head.startswith("HTTP/1.1 200 "):
        load.errors.append(f"{head.splitlines()[0]}: {body[:200]!r}")
        return
    answer = json.loads(body)
    load.index.append(answer["microseconds"])
    if answer["query"] != text:
        load.errors.append(f"{text!r}: the answer to {answer['query']!r}")
