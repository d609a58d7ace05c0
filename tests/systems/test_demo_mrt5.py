"""The demo's second section: the experiment on few texts, its sentence, and its page."""

import dataclasses
from collections.abc import Iterator
from html.parser import HTMLParser

import jobs
import pytest

from pyfastlm.demo import mrt5, mrt5_html, texts, udhr
from pyfastlm.demo.mrt5 import Deletion, Size, learn
from pyfastlm.demo.texts import TextsMissing

SMALL = Size("tiny", 64, 4.0, 4, plain=12, gated=8, seeds=2, pooling=("boundary", "convolution"))


@pytest.fixture(scope="module")
def deletion() -> Iterator[Deletion]:
    with jobs.one_thread():
        yield learn(texts.own(5), size=SMALL, seed=1)


def test_every_seed_has_all_modes_and_languages(deletion: Deletion) -> None:
    assert [run.seed for run in deletion.runs] == [1, 2]
    languages = [name for name, _ in deletion.languages]
    assert len(languages) == 7
    for run in deletion.runs:
        for mode in deletion.modes:
            for language in (None, *languages):
                assert run.report.row(mode, language).bits_per_byte > 0
        assert (run.plain[-1].step, run.gated[-1].step, run.control[-1].step) == (12, 8, 8)
    assert [one.language for one in deletion.shown] == languages
    assert len(deletion.held_out) == 1
    own = texts.own(5)
    (number,) = (n for n, d in enumerate(own.sources[0].documents) if d.key == deletion.held_out[0])
    assert [one.text for one in deletion.shown] == [source.documents[number].text for source in own.sources]
    assert deletion.seconds > 0


def test_the_control_goes_on_from_the_same_weights_without_a_gate(deletion: Deletion) -> None:
    for run in deletion.runs:
        assert run.report.row("control").deleted == 0
        assert run.report.row("control").targets == run.report.row("hard").targets
        assert all(entry.alpha == 0 for entry in run.control)


def test_pooling_is_trained_beside_the_gate_in_the_full_form_alone(deletion: Deletion) -> None:
    assert mrt5.FULL.pooling == ("boundary", "convolution")
    assert mrt5.SHORT.pooling == mrt5.QUICK.pooling == ()
    assert deletion.modes[-4:] == ("fixed", "boundary", "convolution", "control")
    short = dataclasses.replace(deletion, size=mrt5.SHORT)
    assert short.modes == ("soft", "hard", "hard+bias", "random", "fixed", "control")
    assert "merge bytes" in mrt5_html.sections(deletion)
    assert "merge" not in mrt5_html.sections(short)
    for run in deletion.runs:
        assert [log[-1].step for log in run.pooled] == [8, 8]
        left = min(max(1 - run.gated[-1].deleted, 0.05), 0.95)
        rate = round(1 / left)
        assert run.report.row("convolution").deleted == pytest.approx(1 - 1 / rate, abs=0.02)
        assert run.report.row("boundary").targets == run.report.row("hard").targets


def test_a_copy_that_shortens_is_the_same_model_and_goes_by_the_seed() -> None:
    from pyfastlm.mrt5.loading import new_model

    base = new_model("tiny", deletion_type=None)
    copies = [mrt5.shortening(base, seed, deletion_type="boundary") for seed in (1, 1, 2)]
    one, same, other = (copied.state_dict() for copied in copies)
    for name, weight in base.state_dict().items():
        assert one[name].equal(weight)
        assert one[name].data_ptr() != weight.data_ptr()
    fresh = "encoder.block.2.boundary_predictor.boundary_predictor.0.weight"
    assert one[fresh].equal(same[fresh])
    assert not one[fresh].equal(other[fresh])


def with_bits(deletion: Deletion, *costs: float) -> Deletion:
    """The same experiment, hard deletion having cost so much."""
    runs = []
    for run, cost in zip(deletion.runs, costs, strict=False):
        base = run.report.row("control").bits_per_byte
        rows = tuple(
            dataclasses.replace(row, bits_per_byte=base + cost) if row.mode == "hard" else row
            for row in run.report.rows
        )
        runs.append(dataclasses.replace(run, report=dataclasses.replace(run.report, rows=rows)))
    return dataclasses.replace(deletion, runs=tuple(runs))


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        ((0.5, 0.2), "deletion is not free"),
        ((-0.5, 0.2), "the seeds do not agree"),
        ((-0.1, -0.02), "no loss from deletion is seen"),
        ((0.5,), "one seed, which says nothing about chance"),
    ],
)
def test_the_sentence_says_what_came_out(deletion: Deletion, costs: tuple[float, ...], said: str) -> None:
    sentence = with_bits(deletion, *costs).verdict
    assert said in sentence
    assert f"{sum(costs) / len(costs):+.3f} bits/byte" in sentence


class Balanced(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_section_shows_the_numbers(deletion: Deletion) -> None:
    hostile = dataclasses.replace(deletion.shown[0], text="<script>x</script>")
    html = mrt5_html.sections(dataclasses.replace(deletion, shown=(hostile, *deletion.shown[1:])))
    assert "script" not in Balanced(html).tags
    for mode in deletion.modes:
        assert f"{deletion.mean('bits_per_byte', mode):.3f}" in html
    for language, _ in deletion.languages:
        assert f"{deletion.mean('deleted', 'hard', language):.1%}" in html
    assert f"{deletion.parameters:,}" in html


@pytest.mark.slow
def test_the_gate_reaches_its_target_on_real_texts() -> None:
    from pyfastlm.lm.smollm2 import cache_dir

    try:
        declaration = udhr.declaration(30, 0, cache_dir() / "demo")
    except TextsMissing as reason:
        pytest.skip(str(reason))
    size = dataclasses.replace(
        mrt5.SHORT, batch_size=8, plain=60
    )  # the short form itself is what `pyfastlm demo` runs
    found = learn(declaration, size=size, seed=0)
    assert found.mean("deleted", "hard") == pytest.approx(mrt5.TARGET, abs=0.1)
    assert found.mean("deleted", "random") == pytest.approx(found.mean("deleted", "hard"), abs=0.05)
    (run,) = found.runs
    assert run.plain[-1].bits_per_byte < run.plain[0].bits_per_byte
