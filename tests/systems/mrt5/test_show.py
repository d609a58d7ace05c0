"""The picture: every byte once, struck through where it is deleted, and nothing of a text acts."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_mrt5 import open_gate, tiny_mrt5

from pyfastlm.errors import InputError
from pyfastlm.mrt5.examples import Example, collate
from pyfastlm.mrt5.show import MARK, Shown, look, rates, write_page
from pyfastlm.mrt5.show_html import PICTURES, clusters, page
from pyfastlm.mrt5.vocabulary import EOS, encode

HOSTILE = (
    "</p><script>alert('1')</script><img src=x onerror=alert(2)> &lt; &amp; \"quoted\"",
    "null \0, escape \x1b[31m, tab \t and\nnew line\r\nreturn",
    "override \u202e gnirts \u2069 joined \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "Zalgo e\u0301\u0302, क्षत्रिय, ภาษาไทย, \ufeffmark' onmouseover='alert(3)",
)


class Parsed(HTMLParser):
    """A page as a browser sees it, balanced; with each article as (face, is it struck, byte marks)."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[tuple[str, str]] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.faces: list[list[str]] = []
        self.struck: list[list[bool]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag == "meta":
            return
        kind = dict(attrs).get("class") or ""
        self.open.append((tag, kind))
        if kind == "gated":
            self.faces.append([])
            self.struck.append([])
        elif self.faces and self.inside() and "g" in kind.split():
            self.struck[-1].append("x" in kind.split())

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def inside(self) -> bool:
        return any(kind == "gated" for _, kind in self.open)

    def handle_data(self, data: str) -> None:
        if self.inside() and self.open[-1][0] != "i" and self.open[-1][1] != "gated":
            self.faces[-1].append(data)


def shown(text: str, kept: list[bool] | None = None, language: str = "xx", cut: int = 0) -> Shown:
    size = len(text.encode())
    keep = np.array(kept if kept is not None else [True] * size, bool)
    return Shown(language, text, np.where(keep, 0.1, 0.9).astype(np.float32), keep, cut)


def test_by_hand() -> None:
    one = shown("aé", [False, True, False])
    html = page([one], "a model")
    assert '<span class="g g7 x">a</span>' in html
    below = '<i class="g g0">c3</i><i class="g g7 x">a9</i>'
    assert f'<span class="c"><b class="f">é</b><span class="d">{below}</span>' in html
    assert '<b class="f x">é</b>' in page([shown("é", [False, False])], "m")
    assert one.deleted == pytest.approx(2 / 3)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(HOSTILE) | st.text(max_size=20), max_size=3).map("".join), st.randoms())
def test_every_byte_is_shown_once_and_nothing_acts(text: str, rng: object) -> None:
    kept = [bool(rng.random() < 0.5) for _ in text.encode()]  # type: ignore[attr-defined]
    parsed = Parsed(page([shown(text, kept, language=text[:9])], text))
    assert parsed.struck == [[not keep for keep in kept]]
    assert "".join(parsed.faces[0]) == text.translate(PICTURES).replace("\n", "↵")
    assert not parsed.tags & {"script", "img", "link", "iframe", "object", "base", "style\n"}
    assert not [name for name, _ in parsed.attributes if name.startswith("on") or name in {"src", "href"}]


def test_what_is_drawn_as_one_stays_together() -> None:
    assert list(clusters("ae\u0301x")) == ["a", "e\u0301", "x"]
    assert list(clusters("क्ष")) == ["क्ष"]
    assert list(clusters("\U0001f468\u200d\U0001f469!")) == ["\U0001f468\u200d\U0001f469", "!"]
    assert list(clusters("")) == []


def test_rates_are_by_language() -> None:
    found = rates(
        [shown("abcd", [True] * 4, "en"), shown("é", [False, True], "fr"), shown("ab", [False] * 2, "en")]
    )
    assert [(rate.language, rate.texts, rate.bytes, rate.characters) for rate in found] == [
        ("en", 2, 6, 6),
        ("fr", 1, 2, 1),
    ]
    assert [rate.deleted for rate in found] == pytest.approx([1 / 3, 1 / 2])


# With a model


def test_gates_are_the_models_whatever_the_batch() -> None:
    model = open_gate(tiny_mrt5())
    texts = [("en", "One."), ("zh", "这座桥修好以后"), ("en", ""), ("hi", "नमस्ते दुनिया")]
    found = look(model, texts, batch_size=3)
    assert [(one.language, one.text) for one in found] == texts
    for one in found:
        batch = collate([Example(encode(one.text), np.array([EOS]))])
        output = model.eval()(**batch, hard_delete=True)
        assert one.kept.tolist() == output.keep[0, :-1].tolist()
        expected = output.gate_values[0, :-1].detach().numpy() / -30
        np.testing.assert_allclose(one.closed, expected, atol=1e-5)
        assert ((one.closed < 0.5) == one.kept).all()
    assert 0.1 < np.mean([one.deleted for one in found if one.text]) < 0.9


def test_long_texts_are_cut_after_a_whole_character() -> None:
    (one,) = look(open_gate(tiny_mrt5()), [("zh", "这座桥")], max_length=9)  # 8 bytes and EOS
    assert (one.text, one.cut, len(one.kept)) == ("这座", 3, 6)
    assert "3 bytes cut off" in page([one], "m")


def test_page_is_written_whole_and_replaces_only_its_own(tmp_path: Path) -> None:
    path = tmp_path / "deleted.html"
    write_page(path, [shown("a")], model="one")
    write_page(path, [shown("b")], model="two <b>")
    html = path.read_text("utf-8")
    assert MARK in html
    assert "two &lt;b&gt;" in html
    assert not re.search(r"https?://|@import|url\(", html)
    assert [entry.name for entry in tmp_path.iterdir()] == ["deleted.html"]
    path.write_text("mine")
    with pytest.raises(InputError, match=r"output: .* is no page of this kind"):
        write_page(path, [shown("a")], model="one")
    with pytest.raises(InputError, match="output: expected a file in a directory that exists"):
        write_page(tmp_path / "no" / "x.html", [shown("a")], model="one")


def test_mistakes() -> None:
    with pytest.raises(InputError, match="model: expected one with a gate that learned"):
        look(tiny_mrt5(deletion_type=None), [("en", "a")])
    with pytest.raises(InputError, match="texts: expected at least one"):
        look(tiny_mrt5(), [])
    with pytest.raises(InputError, match="batch_size"):
        look(tiny_mrt5(), [("en", "a")], batch_size=0)
    with pytest.raises(InputError, match="text: lone surrogate"):
        look(tiny_mrt5(), [("en", "\ud800")])
