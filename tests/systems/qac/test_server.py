"""The application: answers, limits, refusals, headers; without a socket."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import TERMS, error_of
from starlette.testclient import TestClient

from pyfastlm._http.fields import MOST_BYTES, MOST_CHARACTERS
from pyfastlm._http.guard import Guard
from pyfastlm._http.rate import Buckets
from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex
from pyfastlm.qac import serve
from pyfastlm.qac._http.parameters import MOST_K, MOST_PAST
from pyfastlm.qac.server import app

BASE = "http://localhost"


@pytest.fixture(scope="module")
def index(index_path: Path) -> TermIndex:
    return TermIndex.open(index_path)


@pytest.fixture(scope="module")
def client(index: TermIndex) -> Iterator[TestClient]:
    with TestClient(app(index), base_url=BASE) as client:
        yield client


def suggestions(client: TestClient, query: str, **options: Any) -> list[dict[str, Any]]:
    answer = client.get("/complete", params={"q": query, **options})
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"query", "suggestions", "microseconds"}
    assert answer.json()["microseconds"] >= 0
    found = answer.json()["suggestions"]
    assert isinstance(found, list)
    return found


def test_answers_are_the_indexs(client: TestClient, index: TermIndex) -> None:
    for query in ("", "r", "re", "red ", "CAFÉ", "日", "<img", "zzz"):
        for k in (1, 3, 100):
            found = suggestions(client, query, k=k, edits=0, mode="prefix")
            assert [(one["term"], one["score"]) for one in found] == index.complete(query, k)
            assert {(one["stage"], one["distance"]) for one in found} <= {("exact", 0)}


def test_a_typo_is_forgiven_where_it_is_wanted(client: TestClient) -> None:
    assert [one["term"] for one in suggestions(client, "reciept")][:2] == ["receipt", "receipt book"]
    assert {(one["stage"], one["distance"]) for one in suggestions(client, "reciept")} == {("typo", 1)}
    assert suggestions(client, "reciept", edits=0) == []


def test_the_session_reorders_within_a_stage(client: TestClient) -> None:
    assert [one["term"] for one in suggestions(client, "red", k=2)] == ["red", "red shoes"]
    past = ["running shoes", "red shoes for men"]
    assert suggestions(client, "red", k=2, past=past)[0]["term"] == "red shoes for men"
    assert suggestions(client, "red", k=2, past=["", " "]) == suggestions(client, "red", k=2)
    mixed = suggestions(client, "rece", edits=2, past=["red wine"])
    assert [one["distance"] for one in mixed] == sorted(one["distance"] for one in mixed)


def test_health_page_and_files(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok", "terms": len(TERMS)}
    for path, kind in (("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, f"{kind}; charset=utf-8")
        head = client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(answer.content))


def test_the_page_needs_nothing_from_elsewhere_and_no_inline_code(client: TestClient) -> None:
    page = client.get("/").text
    assert "http:" not in page
    assert "https:" not in page
    assert "<style" not in page
    assert "style=" not in page
    assert page.count("<script") == page.count('<script src="page.js"') == 1
    assert "http" not in client.get("/page.css").text
    assert "innerHTML" not in client.get("/page.js").text


@pytest.mark.parametrize("path", ["/", "/complete?q=a", "/complete", "/no", "/complete?q=%ff"])
def test_every_answer_has_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "cache-control" in headers


@pytest.mark.parametrize(
    ("query_string", "status", "message"),
    [
        ("", 400, "q: expected"),
        ("k=3", 400, "q: expected"),
        ("q=a&q=b", 400, "q: expected once"),
        ("q=a&k=1&k=2", 400, "k: expected once"),
        ("q=a&limit=3", 400, "parameters: expected"),
        ("q=a&k=0", 400, "k: expected"),
        (f"q=a&k={MOST_K + 1}", 400, "k: expected"),
        ("q=a&k=-1", 400, "k: expected"),
        ("q=a&k=1e1", 400, "k: expected"),
        ("q=a&k=%D9%A3", 400, "k: expected"),  # a digit, of another script
        ("q=a&k=" + "9" * 5000, 400, "k: expected"),
        ("q=a&edits=3", 400, "edits: expected"),
        ("q=a&mode=all", 400, "mode: expected"),
        ("q=%ff%fe", 400, "query string: expected percent-encoded UTF-8"),
        ("q=%c3", 400, "query string: expected percent-encoded UTF-8"),
        ("q=%ed%a0%80", 400, "query string: expected percent-encoded UTF-8"),  # half a surrogate pair
        ("q=a&%ff=1", 400, "query string: expected percent-encoded UTF-8"),
        ("q=100%", 400, "query string: expected two hexadecimal digits"),
        ("q=%zz", 400, "query string: expected two hexadecimal digits"),
        ("q=%u0041", 400, "query string: expected two hexadecimal digits"),
        ("q=a%00b", 400, "q: expected no control characters"),
        ("q=a%0Ab", 400, "q: expected no control characters"),
        ("q=a&past=%C2%85", 400, "past: expected no control characters"),
        ("q=" + "a" * (MOST_CHARACTERS + 1), 414, "q: expected at most"),
        ("q=" + "%F0%9F%98%80" * (MOST_BYTES // 4 + 1), 414, "q: expected at most"),
        ("q=a&past=" + "a" * (MOST_CHARACTERS + 1), 414, "past: expected at most"),
        ("q=a" + "&past=b" * (MOST_PAST + 1), 400, "past: expected at most"),
        ("q=a" + "&past=b" * 5000, 414, "address: expected at most"),
        ("q=a" + "&past=b" * 1000, 400, "query string: expected at most"),
        ("q=" + "a" * 60_000, 414, "address: expected at most"),
    ],
)
def test_bad_parameters_are_refused(client: TestClient, query_string: str, status: int, message: str) -> None:
    assert error_of(client.get(f"/complete?{query_string}"), status).startswith(message)


def test_everything_at_its_limit_is_answered(client: TestClient) -> None:
    most = "日" * (MOST_BYTES // 3)
    answer = client.get("/complete", params={"q": most, "k": MOST_K, "edits": 2, "past": [most] * MOST_PAST})
    assert answer.status_code == 200, answer.text
    assert answer.json()["query"] == most


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/", "/complete?q=a", "/health"])
def test_other_methods_are_refused(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert error_of(answer, 405) == "method: expected GET or HEAD"
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "path",
    [
        "/no", "/complete/", "/Complete", "/page.html", "/../page.js", "/..%2f..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/etc/passwd", "/page.js%00", "/....//etc/passwd", "/..%5c..%5cwin.ini",
    ],
)  # fmt: skip
def test_other_paths_are_not_found(client: TestClient, path: str) -> None:
    answer = client.get(path, follow_redirects=False)
    if answer.status_code == 200:  # the client has resolved the dots
        assert str(answer.url) == f"{BASE}/page.js"
    else:
        assert error_of(answer, 404).startswith("path: expected one of")


@pytest.mark.parametrize("path", ["/%ff", "/%c3%28", "/complete%", "/%zz"])
def test_paths_that_are_not_utf_8(client: TestClient, path: str) -> None:
    assert error_of(client.get(path), 400).startswith("path: expected percent-encoded UTF-8")


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "[::1", "", "127.0.0.1.evil.example"]
)
def test_foreign_names_are_refused(client: TestClient, host: str) -> None:
    assert error_of(client.get("/complete?q=a", headers={"host": host}), 400).startswith("Host: expected")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:80", "[::1]:99", "192.168.0.7"])
def test_own_names_and_addresses_are_not(client: TestClient, host: str) -> None:
    assert client.get("/complete?q=a", headers={"host": host}).status_code == 200


def test_names_can_be_allowed(index: TermIndex) -> None:
    with TestClient(app(index, hosts=["Search.example"]), base_url="http://search.example:8080") as client:
        assert client.get("/health").status_code == 200
    with TestClient(app(index, hosts=None), base_url="http://any.example") as client:
        assert client.get("/health").status_code == 200


def test_a_body_is_refused(client: TestClient) -> None:
    answer = client.request("GET", "/complete?q=a", content=b"x" * 100)
    assert error_of(answer, 413).startswith("body: expected none")


def test_an_address_that_asks_too_often_waits(index: TermIndex) -> None:
    with TestClient(app(index, rate=0.01), base_url=BASE, client=("203.0.113.5", 1)) as client:
        assert client.get("/complete?q=a").status_code == 200
        answer = client.get("/complete?q=a")
        assert error_of(answer, 429).startswith("too many requests")
        assert 90 <= int(answer.headers["retry-after"]) <= 100
    with TestClient(app(index, rate=0), base_url=BASE, client=("203.0.113.5", 1)) as client:
        assert {client.get("/health").status_code for _ in range(300)} == {200}


def test_by_default_only_other_machines_wait(index: TermIndex) -> None:
    application = app(index)
    for address, statuses in (("203.0.113.5", {200, 429}), ("127.0.0.1", {200}), ("::ffff:127.0.0.1", {200})):
        with TestClient(application, base_url=BASE, client=(address, 1)) as client:
            assert {client.get("/health").status_code for _ in range(300)} == statuses


def test_buckets_fill_at_their_rate_and_forget_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    buckets = Buckets(2.0, 3.0, clock=lambda: now)
    assert [buckets.wait("a") for _ in range(5)] == [0, 0, 0, 1, 1]
    assert buckets.wait("b") == 0
    now = 0.5
    assert [buckets.wait("a") for _ in range(2)] == [0, 1]
    now = 100.0
    assert [buckets.wait("a") for _ in range(4)] == [0, 0, 0, 1]
    assert [buckets.wait(f"2001:db8::{i}") for i in range(4)] == [0, 0, 0, 1]  # of one customer
    assert buckets.wait("2001:db8:0:1::1") == 0
    assert [buckets.wait(address) for address in ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1")] == [0, 0, 0]
    assert [buckets.wait(address) for address in ("::ffff:192.0.2.1", "::ffff:192.0.2.2")] == [1, 0]
    monkeypatch.setattr("pyfastlm._http.rate.MOST_ADDRESSES", 2)
    for address in ("c", "d", "e"):
        buckets.wait(address)
    assert buckets.wait("a") == 0


def test_a_damaged_index_is_one_line_and_no_traceback(
    index_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = bytearray(index_path.read_bytes())
    damaged = tmp_path / "damaged.index"
    for start in range(0, len(data), 64):  # a section begins at each multiple of 64
        damaged.write_bytes(data[:start] + b"\xff" * 64 + data[start + 64 :])
        try:
            index = TermIndex.open(damaged, verify=False)
        except InputError:  # the header
            continue
        with TestClient(app(index), base_url=BASE) as client:
            answers = [
                client.get("/complete", params={"q": query, "edits": 2}) for query in ("", "red", "reciept")
            ]
        bad = [answer for answer in answers if answer.status_code != 200]
        for answer in bad:
            assert error_of(answer, 500) == "the index cannot answer; its file may be damaged"
        if bad:
            break
    else:
        pytest.fail("no damage was noticed")
    assert any("damaged.index" in record.getMessage() for record in caplog.records)


def test_wrong_arguments(index_path: Path, tmp_path: Path) -> None:
    for rate in (-1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="rate: expected"):
            app(index_path, rate=rate)
    for port in (-1, 65536, True, "80"):
        with pytest.raises(InputError, match="port: expected"):
            serve(index_path, port)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        serve(tmp_path / "none", 0)
    with pytest.raises(InputError, match="host: expected"):
        serve(index_path, 0, "no such host")


def test_other_protocols_are_passed_on(index_path: Path) -> None:
    assert isinstance(app(index_path), Guard)
    with TestClient(app(index_path), base_url=BASE) as client:  # runs the lifespan protocol
        assert json.loads(client.get("/health").content)["status"] == "ok"
