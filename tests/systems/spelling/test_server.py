"""The application of `pyfastlm spell serve`: corrections, new names, refusals; without a socket."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from brands import HOSTILE, NAMES, TEN_KILOBYTES, UNKNOWN
from serving import error_of, served
from starlette.testclient import TestClient

from pyfastlm._http.fields import MOST_BYTES, MOST_CHARACTERS
from pyfastlm._http.guard import Guard
from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex
from pyfastlm.spelling import Speller, serve
from pyfastlm.spelling._http import application
from pyfastlm.spelling._http.names import MOST_BODY
from pyfastlm.spelling.server import app

BASE = "http://localhost"
JSON = {"content-type": "application/json"}


@pytest.fixture
def speller(names_path: Path) -> Speller:
    return Speller(TermIndex.open(names_path))


@pytest.fixture
def client(speller: Speller) -> Iterator[TestClient]:
    with TestClient(app(speller), base_url=BASE) as client:
        yield client


def corrected(client: TestClient, query: str) -> dict[str, Any]:
    answer = client.get("/correct", params={"q": query})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert isinstance(found, dict)
    return found


def test_answers_are_the_spellers(client: TestClient, speller: Speller) -> None:
    right = ("playgro", "Velora  Rain Jacket", "日傘")
    for query in (*right, "playgo", "velora runing shoes", "zenvora", "<b>", ""):
        found, expected = corrected(client, query), speller.correct(query)
        assert found.pop("microseconds") > 0
        assert found == {
            "query": query,
            "text": expected.text,
            "changed": expected.changed,
            "catalogued": query.lower().replace("  ", " ") in NAMES,
            "margin": expected.margin if expected.margin > -float("inf") else None,
            "threshold": speller.threshold,
            "candidates": [one._asdict() for one in expected.candidates],
        }


def test_a_name_that_is_added_is_safe_from_the_next_query_on(client: TestClient) -> None:
    before = corrected(client, "playgra")
    assert (before["text"], before["changed"], before["catalogued"]) == ("playgro", True, False)
    answer = client.post("/names", json={"name": "  PlayGra "})
    assert answer.status_code == 201
    added = answer.json()
    assert added.pop("microseconds") > 0
    assert added == {"name": "playgra", "popularity": 1.0, "known": False, "names": len(NAMES) + 1}
    after = corrected(client, "playgra")
    assert (after["text"], after["changed"], after["catalogued"]) == ("playgra", False, True)
    assert corrected(client, "playgrra")["changed"]  # to what has been added, or to what it resembles
    assert client.get("/health").json() == {
        "status": "ok", "names": len(NAMES) + 1, "added": 1, "adding": True,
    }  # fmt: skip
    again = client.post("/names", json={"name": "playgra", "popularity": 1e6})
    assert (again.status_code, again.json()["known"]) == (200, True)
    assert corrected(client, "playgrra")["text"] == "playgra"
    assert client.get("/health").json()["added"] == 1


def test_the_file_stays_as_it_was(client: TestClient, names_path: Path) -> None:
    before = names_path.read_bytes()
    client.post("/names", json={"name": "zenvora"})
    assert names_path.read_bytes() == before
    assert "zenvora" not in TermIndex.open(names_path)


@pytest.mark.parametrize("query", [*HOSTILE.values(), *UNKNOWN])
def test_whatever_is_typed_is_answered_or_refused(client: TestClient, query: str) -> None:
    answer = client.get("/correct", params={"q": query})
    if answer.status_code == 200:
        assert answer.json()["query"] == query
    else:
        assert "control characters" in error_of(answer, 400)
    named = client.post("/names", json={"name": query})
    if named.status_code == 201:
        assert corrected(client, query)["changed"] is False
    else:
        error_of(named, named.status_code)
        assert named.status_code in {200, 400}


@pytest.mark.parametrize("query", TEN_KILOBYTES.values())
def test_ten_kilobytes_are_refused(client: TestClient, query: str) -> None:
    assert error_of(client.get("/correct", params={"q": query}), 414)
    assert error_of(client.post("/names", json={"name": query}), 413)


@pytest.mark.parametrize(
    ("query_string", "status", "message"),
    [
        ("", 400, "q: expected"),
        ("q=a&q=b", 400, "q: expected once"),
        ("q=a&k=3", 400, "parameters: expected q, got 'k'"),
        ("q=a&q=b&q=c", 400, "query string: expected at most 2 fields"),
        ("q=%ff", 400, "query string: expected percent-encoded UTF-8"),
        ("q=100%", 400, "query string: expected two hexadecimal digits"),
        ("q=a%00b", 400, "q: expected no control characters"),
        ("q=" + "a" * (MOST_CHARACTERS + 1), 414, "q: expected at most"),
        ("q=" + "%F0%9F%98%80" * (MOST_BYTES // 4 + 1), 414, "q: expected at most"),
        ("q=" + "a" * 60_000, 414, "address: expected at most"),
    ],
)
def test_bad_parameters_are_refused(client: TestClient, query_string: str, status: int, message: str) -> None:
    assert error_of(client.get(f"/correct?{query_string}"), status).startswith(message)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "body: expected one JSON object"),
        (b"{", 400, "body: expected one JSON object"),
        (b"\xff\xfe{\x00}\x00", 400, "body: expected one JSON object"),
        (b'{"name": "a", "name": "b"}', 400, "body: expected one JSON object"),
        (b"[" * 4000, 400, "body: expected one JSON object"),
        (b"9" * 4096, 400, "body: expected"),
        (b'["a"]', 400, "body: expected an object with name and popularity"),
        (b'{"name": "a", "score": 3}', 400, "body: expected an object with name and popularity"),
        (b"{}", 400, "name: expected a text"),
        (b'{"name": 3}', 400, "name: expected a text"),
        (b'{"name": null}', 400, "name: expected a text"),
        (b'{"name": ""}', 400, "name: expected a text that is not empty"),
        (b'{"name": "\\u2003 "}', 400, "name: expected a text that is not empty"),
        (b'{"name": "a\\u0000b"}', 400, "name: expected no control characters"),
        (b'{"name": "\\ud800"}', 400, "name: expected Unicode"),
        (b'{"name": "%s"}' % (b"a" * 201), 414, "name: expected at most 200 characters"),
        ('{"name": "%s"}' % ("日" * 190), 414, "name: expected at most 512 bytes"),
        (b'{"name": "a", "popularity": -1}', 400, "popularity: expected"),
        (b'{"name": "a", "popularity": NaN}', 400, "popularity: expected"),
        (b'{"name": "a", "popularity": 1e999}', 400, "popularity: expected"),
        (b'{"name": "a", "popularity": 1%s}' % (b"0" * 400), 400, "popularity: expected"),
        (b'{"name": "a", "popularity": true}', 400, "popularity: expected"),
        (b'{"name": "a", "popularity": "3"}', 400, "popularity: expected"),
        (b'{"name": "a", "popularity": [3]}', 400, "popularity: expected"),
        (b" " * (MOST_BODY + 1), 413, "body: expected at most"),
        (b" " * (1 << 20), 413, "body: expected at most"),
    ],
)  # fmt: skip
def test_bad_names_are_refused(client: TestClient, body: bytes | str, status: int, message: str) -> None:
    assert error_of(client.post("/names", content=body, headers=JSON), status).startswith(message)
    assert client.get("/health").json()["added"] == 0


def test_a_name_at_its_limit_with_every_letter_escaped(client: TestClient) -> None:
    name = "".join(f"\\u{ord(letter):04x}" for letter in "日" * (MOST_BYTES // 3))
    answer = client.post("/names", content=f'{{"name": "{name}"}}', headers=JSON)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"])
def test_what_a_foreign_page_can_send_is_refused(client: TestClient, kind: str) -> None:
    """A browser asks (OPTIONS) before it sends JSON across origins, and that is refused."""
    answer = client.post("/names", content=b'{"name": "a"}', headers={"content-type": kind})
    assert error_of(answer, 415).startswith("content-type: expected application/json")
    asked = client.options("/names", headers={"origin": "http://evil.example"})
    assert error_of(asked, 405) == "method: expected POST"
    assert not [name for name in asked.headers if name.startswith("access-control")]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "BREW", "POST", "GET"])
def test_other_methods_are_refused(client: TestClient, method: str) -> None:
    for path in ("/", "/correct?q=a", "/health"):
        if method != "GET":
            answer = client.request(method, path)
            assert error_of(answer, 405) == "method: expected GET or HEAD"
            assert answer.headers["allow"] == "GET, HEAD"
    if method != "POST":
        answer = client.request(method, "/names")
        assert error_of(answer, 405) == "method: expected POST"
        assert answer.headers["allow"] == "POST"


def test_other_paths_names_and_bodies_are_refused(client: TestClient) -> None:
    assert error_of(client.get("/complete"), 404).startswith("path: expected one of /, /page.css")
    foreign = {"host": "evil.example", **JSON}
    assert error_of(client.post("/names", content=b'{"name": "a"}', headers=foreign), 400).startswith("Host")
    assert error_of(client.request("GET", "/correct?q=a", content=b"x"), 413).startswith(
        "body: expected none"
    )


def test_names_are_taken_only_where_that_is_wanted(names_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with TestClient(app(names_path, adding=False), base_url=BASE) as client:
        assert client.get("/health").json()["adding"] is False
        assert error_of(client.post("/names", json={"name": "a"}), 403) == "names: this server takes none"
    monkeypatch.setattr(application, "MOST_ADDED", 2)
    with TestClient(app(names_path), base_url=BASE) as client:
        statuses = [client.post("/names", json={"name": name}).status_code for name in ("a", "b", "a", "c")]
        assert statuses == [201, 201, 200, 403]
        assert client.get("/health").json()["names"] == len(NAMES) + 2


def test_the_page_and_its_files(client: TestClient) -> None:
    for path, kind in (
        ("/", "html"),
        ("/page.css", "css"),
        ("/page.js", "javascript"),
        ("/shared.js", "javascript"),
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, f"text/{kind}; charset=utf-8")
        assert client.head(path).content == b""
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert "innerHTML" not in answer.text
        assert "http:" not in answer.text.replace("http://www.w3.org/2000/svg", "")
    assert ".answers li" in client.get("/page.css").text  # of all pages
    assert "#verdict" in client.get("/page.css").text  # and of this one


def test_an_address_that_asks_too_often_waits(names_path: Path) -> None:
    with TestClient(app(names_path, rate=0.01), base_url=BASE, client=("203.0.113.5", 1)) as client:
        assert client.post("/names", json={"name": "a"}).status_code == 201
        assert error_of(client.post("/names", json={"name": "b"}), 429).startswith("too many requests")


def test_a_damaged_index_is_one_line(
    client: TestClient, speller: Speller, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(query: str) -> None:
        raise InputError(f"section 3 of the file: expected something else, for {query!r}")

    speller.correct = broken  # type: ignore[assignment, method-assign]
    answer = client.get("/correct", params={"q": "playgo"})
    assert error_of(answer, 500) == "the index cannot answer; its file may be damaged"
    assert any("section 3" in record.getMessage() for record in caplog.records)


def test_wrong_arguments(names_path: Path, tmp_path: Path) -> None:
    assert isinstance(app(names_path), Guard)
    with pytest.raises(InputError, match="rate: expected"):
        app(names_path, rate=-1.0)
    with pytest.raises(InputError, match="port: expected"):
        serve(names_path, 65536)
    with pytest.raises(InputError, match="host: expected"):
        serve(names_path, 0, "no such host")
    with pytest.raises(FileNotFoundError):
        serve(tmp_path / "none", 0)
    TermIndex.build([("a", 1.0)], tmp_path / "plain")
    with pytest.raises(InputError, match="similar=True"):
        app(tmp_path / "plain")


def test_over_a_socket(address: str) -> None:
    httpx = pytest.importorskip("httpx2")
    with httpx.Client(base_url=address) as client:
        assert client.get("/correct", params={"q": "playgra"}).json()["text"] == "playgro"
        assert client.post("/names", json={"name": "playgra"}).status_code == 201
        assert client.get("/correct", params={"q": "playgra"}).json()["changed"] is False
        refused = client.post("/names", content=b"x" * (1 << 20), headers=JSON)
        assert json.loads(refused.content)["error"].startswith("body: expected at most")
        assert client.get("/correct", params={"q": "ok"}, headers={"x": "y" * (1 << 20)}).status_code == 431
        assert client.get("/health").json()["added"] == 1


@pytest.mark.parametrize(
    ("options", "takes"),
    [(["--no-adding"], False), (["--host", "0.0.0.0"], False), (["--host", "0.0.0.0", "--adding"], True)],
    ids=["no", "any address", "any address, adding"],
)
def test_names_are_taken_on_this_machine_unless_it_is_said(
    names_path: Path, options: list[str], takes: bool
) -> None:
    httpx = pytest.importorskip("httpx2")
    with served(names_path, *options, system="spell") as address:
        base = address.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{base}health").json()["adding"] is takes
        assert httpx.post(f"{base}names", json={"name": "a"}).status_code == (201 if takes else 403)
