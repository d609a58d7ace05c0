"""A reviser behind an endpoint: a real server on this machine, and all that may go wrong with one."""

import json
import socket
from pathlib import Path

import pytest
from endpoints import Reply, endpoint, said

from pyfastlm.errors import InputError
from pyfastlm.preference.asking import Completion, EndpointReviser
from pyfastlm.preference.builders import Reason
from pyfastlm.preference.revising import RevisionPrompt, clair
from pyfastlm.preference.revising.prompt import written

pytest.importorskip("openai")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def one(replies: list[Reply], *, retries: int = 3, timeout: float = 5.0) -> tuple[Completion, int]:
    """What is made of one prompt, and how many tries it took."""
    with endpoint(lambda _, number: replies[min(number, len(replies)) - 1]) as server:
        reviser = EndpointReviser(server.url, "m", retries=retries, timeout=timeout)
        (found,) = reviser(["hello"])
        return found, len(server.requests)


def test_what_is_sent_and_what_comes_back() -> None:
    with endpoint(
        lambda prompt, _: said(
            prompt[::-1], finish={"long": "length", "bad": "content_filter"}.get(prompt, "stop")
        )
    ) as server:
        reviser = EndpointReviser(server.url, "big", temperature=0.25, max_tokens=77, seed=5)
        found = reviser([f"prompt {n}" for n in range(20)] + ["long", "bad"])
        assert [each.text for each in found] == [f"prompt {n}"[::-1] for n in range(20)] + ["gnol", "dab"]
        assert [each.finished for each in found] == [True] * 20 + [False] * 2
        for _, headers, asked in server.requests:
            assert headers["authorization"] == "Bearer sk-secret"
            prompt = asked.pop("messages")
            assert [message["role"] for message in prompt] == ["user"]
            assert asked == {"model": "big", "temperature": 0.25, "max_tokens": 77, "seed": 5}
    assert "sk-secret" not in reviser.identity
    assert "sk-secret" not in repr(reviser)


def test_several_requests_at_once_and_no_more() -> None:
    with endpoint(lambda prompt, _: said(prompt)._replace(delay=0.03)) as server:
        EndpointReviser(server.url, "m", concurrency=3)([f"{n}" for n in range(12)])
        assert server.most == 3


def test_requests_keep_their_distance_and_tries_count() -> None:
    flaky = [Reply(500), said("at last")]
    with endpoint(lambda _, number: flaky[min(number, 2) - 1]) as server:
        EndpointReviser(server.url, "m", requests_per_minute=1200)(["a", "b", "c", "d"])
        times = sorted(when for when, _, _ in server.requests)
        assert len(times) == 8
        assert times[-1] - times[0] > 7 * 0.05 - 0.03


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_tried_again(status: int) -> None:
    assert one([Reply(status), Reply(status), said("there")]) == (Completion("there"), 3)


def test_given_up() -> None:
    found, tries = one([Reply(429, b'{"error": {"message": "slow\\n down"}}')], retries=2)
    assert tries == 3
    assert found.text == ""
    assert found.error.startswith("429 RateLimitError")
    assert "\n" not in found.error
    found, tries = one([Reply(400, b'{"error": {"message": "too long"}}')])
    assert tries == 1
    assert "too long" in found.error


def test_no_reply_in_time() -> None:
    assert one([said("late")._replace(delay=0.5), said("there")], timeout=0.1) == (Completion("there"), 2)
    found, tries = one([said("late")._replace(delay=0.3)], timeout=0.05, retries=1)
    assert (found.error, tries) == ("no reply within 0.05 s, tried 2 times", 2)


MALFORMED = [
    b"",
    b"{",
    b"\xff\xfe",
    b"[]",
    b"null",
    b"3",
    b'"text"',
    b"{}",
    b'{"choices": null}',
    b'{"choices": []}',
    b'{"choices": [null]}',
    b'{"choices": [{}]}',
    b'{"choices": [{"message": null}]}',
    b'{"choices": [{"message": {"content": 5}, "finish_reason": "stop"}]}',
    b'{"choices": [{"message": {"content": ["x"]}, "finish_reason": "stop"}]}',
    b'{"choices": ' + b"[" * 3000,
]


@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: repr(body[:40]))
def test_a_malformed_reply_is_told(body: bytes) -> None:
    found, _ = one([Reply(body=body)], retries=0)
    assert found.text == ""
    assert found.error.startswith("a malformed reply")


def test_nothing_written_is_nothing() -> None:
    assert one([said(None)]) == (Completion(""), 1)


def test_a_reply_that_breaks_off() -> None:
    broken = said("there")._replace(length=5000, headers=(("connection", "close"),))
    found, tries = one([broken], retries=1)
    assert (found.error, tries) == ("a reply that breaks off, tried 2 times", 2)
    assert one([broken, said("there")]) == (Completion("there"), 2)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_ends_the_run(status: int) -> None:
    with pytest.raises(InputError, match=rf"^base_url: .* refuses: {status} .*who are you"):
        one([Reply(status, b'{"error": {"message": "who are you"}}')])


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        reviser = EndpointReviser(f"http://127.0.0.1:{taken.getsockname()[1]}/v1", "m", retries=0)
        with pytest.raises(InputError, match=r"^base_url: cannot reach .*tried 1 times"):
            reviser(["x"])


def test_clair_keeps_what_came_and_asks_again_what_failed(tmp_path: Path) -> None:
    rows = [(f"task {n}", f"The answer of rwo {n}.") for n in range(10)]
    fails = {3, 7}

    def replies(prompt: str, _: int) -> Reply:
        number = next(n for n in range(10) if f"rwo {n}." in prompt)
        return Reply(500) if number in fails else said(written(f"The answer of row {number}.", "a slip"))

    with endpoint(replies) as server:
        reviser = EndpointReviser(server.url, "m", retries=0)
        first = clair(reviser, rows, tmp_path / "answers")
        assert [n for n, each in enumerate(first.outcomes) if each.reason is Reason.FAILED] == [3, 7]
        assert len(server.requests) == 10  # a batch is not asked again for one that failed
        fails.clear()
        again = clair(reviser, rows, tmp_path / "answers")
        assert len(server.requests) == 12
        assert [pair.chosen for pair in again.pairs] == [f"The answer of row {n}." for n in range(10)]
    assert b"sk-secret" not in (tmp_path / "answers").read_bytes()


def test_another_setting_is_another_reviser() -> None:
    url = "http://localhost:1/v1"
    made = [
        EndpointReviser(url, "m"),
        EndpointReviser(url, "n"),
        EndpointReviser(url + "/", "m"),
        EndpointReviser(url, "m", temperature=0),
        EndpointReviser(url, "m", max_tokens=5),
        EndpointReviser(url, "m", seed=0),
    ]
    assert len({reviser.identity for reviser in made}) == len(made)
    assert json.loads(EndpointReviser(url, "m", retries=1, timeout=9).identity) == json.loads(
        made[0].identity
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base_url": "localhost:8000"}, "base_url: expected http"),
        ({"base_url": "file:///etc/passwd"}, "base_url: expected http"),
        ({"key_variable": "NO_SUCH_KEY"}, "key_variable: the environment has no 'NO_SUCH_KEY'"),
        ({"temperature": -1}, "temperature: expected"),
        ({"temperature": float("nan")}, "temperature: expected"),
        ({"timeout": 0}, "timeout: expected"),
        ({"timeout": float("inf")}, "timeout: expected"),
        ({"retries": -1}, "retries: expected"),
        ({"retries": 0.5}, "retries: expected"),
        ({"retries": float("inf")}, "retries: expected"),
        ({"timeout": None}, "timeout: expected"),
        ({"max_tokens": "5"}, "max_tokens: expected"),
        ({"concurrency": True}, "concurrency: expected"),
        ({"requests_per_minute": 0}, "requests_per_minute: expected"),
        ({"concurrency": 0}, "concurrency: expected"),
        ({"max_tokens": 0}, "max_tokens: expected"),
    ],
)
def test_wrong_settings(change: dict[str, object], message: str) -> None:
    settings: dict[str, object] = {"base_url": "http://localhost:1/v1", "model": "m"}
    with pytest.raises(InputError, match=message):
        EndpointReviser(**(settings | change))


def test_prompts_arrive_whole() -> None:
    prompt = RevisionPrompt("日本語 \N{PILE OF POO}", 'quotes " and \n lines \\')
    with endpoint(lambda *_: said("x")) as server:
        EndpointReviser(server.url, "m")([prompt])
        assert server.requests[0][2]["messages"][0]["content"] == str(prompt)
