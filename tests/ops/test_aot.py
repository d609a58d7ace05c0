"""The ahead-of-time gate: it passes, it fails bad kernels, and it compiles what the launchers launch."""

import json
import os
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch

pytest.importorskip("triton")

INTERPRETING = os.environ.get("TRITON_INTERPRET") == "1"

PLANTED = """
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, BLOCK: tl.constexpr):
    x = tl.load(x_ptr + tl.arange(0, BLOCK))
    tl.store(x_ptr + tl.arange(0, BLOCK), x / tl.sum(x))


@triton.jit
def product(x_ptr, N: tl.constexpr):
    steps = tl.arange(0, N)
    acc = tl.zeros([N, N], tl.float32)
    for _ in range(0, 1024, 64):
        x = tl.load(x_ptr + steps[:, None] * 64 + tl.arange(0, 64)[None, :])
        acc = tl.dot(x, tl.trans(x), acc)
        x_ptr += N * 64
    tl.store(x_ptr + steps[:, None] * N + steps[None, :], acc.to(tl.float16))
"""

# Runs the gate over entries given as JSON, as the manifest's are.
GATE = """
import json, sys
from pyfastlm.kernels import aot
from pyfastlm.kernels.manifest import Entry

if __name__ == "__main__":
    entries = [Entry(**e | {"divisible": frozenset(e["divisible"])}) for e in json.loads(sys.argv[1])]
    sys.exit(aot.main(["--json"], entries))
"""

MODEST = {
    "kernel": "planted:kernel",
    "form": "modest",
    "signature": {"x_ptr": "*fp32"},
    "constants": {"BLOCK": 1024},
    "divisible": ["x_ptr"],
    "warps": 4,
    "stages": 1,
    "shared": 1024,
}
# What is wrong with a form, and how the gate must put it.
FAULTS = {
    "spills registers": {"constants": {"BLOCK": 8192}, "warps": 1},
    "shared memory over the budget of 0 bytes": {"shared": 0},
    "shared memory over the 166,912 bytes of the target": {
        "kernel": "planted:product",
        "signature": {"x_ptr": "*fp16"},
        "constants": {"N": 128},
        "stages": 12,
        "shared": 1 << 20,
    },
    "does not compile: CompilationError": {"constants": {"BLOCK": 1000}},
    "does not compile: AttributeError": {"kernel": "planted:absent"},
}


def compiling() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}


def gate(folder: Path, entries: list[dict]) -> tuple[int, list[dict]]:
    (folder / "planted.py").write_text(PLANTED)
    (folder / "gate.py").write_text(GATE)
    run = subprocess.run(
        [sys.executable, folder / "gate.py", json.dumps(entries)],
        env=compiling() | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert run.stdout, run.stderr
    return run.returncode, json.loads(run.stdout)


def test_gate_passes_a_modest_kernel(tmp_path):
    code, rows = gate(tmp_path, [MODEST])
    assert code == 0
    assert [row["target"] for row in rows] == ["sm_80", "sm_90a"]
    for row in rows:
        assert row["problems"] == []
        assert (row["spill_stores"], row["spill_loads"]) == (0, 0)
        assert 8 < row["registers"] < 64
        assert 0 < row["shared"] <= 1024


@pytest.mark.slow
def test_gate_fails_planted_faults(tmp_path):
    code, rows = gate(
        tmp_path, [MODEST, *(MODEST | {"form": form} | fault for form, fault in FAULTS.items())]
    )
    assert code == 1
    for row in rows:
        if row["form"] == "modest":
            assert row["problems"] == []
        elif row["target"] == "sm_80":
            assert any(problem.startswith(row["form"]) for problem in row["problems"]), row
        if row["form"] == "spills registers":
            assert row["spill_stores"] > 0
            assert row["spill_loads"] > 0


def test_gate_refuses_to_run_interpreted():
    run = subprocess.run(
        [sys.executable, "-m", "pyfastlm.kernels.aot"],
        env=compiling() | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("TRITON_INTERPRET: expected unset")
    assert run.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_form_of_the_manifest_passes():
    from pyfastlm.kernels import manifest

    run = subprocess.run(
        [sys.executable, "-m", "pyfastlm.kernels.aot", "--json"],
        env=compiling(),
        capture_output=True,
        text=True,
        timeout=880,
    )
    rows = json.loads(run.stdout)
    assert [row["problems"] for row in rows] == [[]] * (2 * len(manifest.ENTRIES))
    assert run.returncode == 0


def test_every_kernel_is_in_the_manifest_in_two_forms():
    """A jitted function is a kernel, named so and in the manifest, or a helper whose name begins with _."""
    from triton.runtime import KernelInterface

    import pyfastlm.kernels
    from pyfastlm.kernels import manifest

    found = set()
    for module in pkgutil.iter_modules(pyfastlm.kernels.__path__, "pyfastlm.kernels."):
        for name, member in vars(import_module(module.name)).items():
            if isinstance(member, KernelInterface) and not name.startswith("_"):
                assert name.endswith("_kernel"), name
                found.add(f"{module.name}:{name}")
    forms: dict[str, list[bool]] = {}
    for entry in manifest.ENTRIES:
        integers = {name for name, kind in entry.signature.items() if kind == "i32"}
        forms.setdefault(entry.kernel, []).append(bool(integers & entry.divisible - {"first", "stride_out"}))
    assert set(forms) == found
    assert all({True, False} <= set(divisible) for divisible in forms.values())
    assert len({(entry.kernel, entry.form) for entry in manifest.ENTRIES}) == len(manifest.ENTRIES)


DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
SHAPES = {
    "aligned": (32, 64, 16384),
    "one row": (1, 64, 16384),
    "ragged": (37, 64, 16401),
    "odd": (37, 123, 507),
}
LAUNCHES = [
    *((dtype, dtype, "aligned", False) for dtype in ("bf16", "fp32")),
    ("bf16", "bf16", "one row", True),
    *((dtype, dtype, shape, True) for dtype in ("bf16", "fp32") for shape in ("aligned", "ragged", "odd")),
    *(
        (*dtypes, *shape)
        for dtypes in (("fp32", "bf16"), ("bf16", "fp32"), ("fp16", "fp16"))
        for shape in (("aligned", False), ("odd", True))
    ),
]


@pytest.mark.skipif(INTERPRETING, reason="interpreted kernels have no signature to compare")
@pytest.mark.parametrize(("hidden_type", "weight_type", "shape", "options"), LAUNCHES)
def test_launches_are_in_the_manifest(monkeypatch, hidden_type, weight_type, shape, options):
    """What Triton makes of a launch (types, constants, divisibility, options) is what the gate compiles."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import make_backend
    from triton.runtime.jit import JITFunction, create_function_from_signature

    from pyfastlm.kernels import aot, linear_logp, manifest

    backend = make_backend(GPUTarget("cuda", 80, 32))
    launched = []

    def launch(kernel, *args, grid, warmup, **keywords):
        binder = create_function_from_signature(kernel.signature, kernel.params, backend)
        packed = kernel._pack_args(backend, keywords, *binder(*args, **keywords))
        chosen, signature, constants, attributes = packed
        attributes = {place: values for place, values in attributes.items() if values}
        how = (chosen.num_warps, chosen.num_stages, chosen.enable_fp_fusion)
        launched.append((kernel.__name__, signature, constants, attributes, *how))

    monkeypatch.setattr(JITFunction, "run", launch)
    rows, dim, vocab = SHAPES[shape]
    hidden = torch.zeros(rows, dim, dtype=DTYPES[hidden_type])
    weight = torch.zeros(vocab, dim, dtype=DTYPES[weight_type])
    bias = torch.zeros(vocab, dtype=DTYPES[weight_type]) if options else None
    inputs = (hidden, weight, torch.zeros(rows, dtype=torch.int64), bias, 30.0 if options else None, 1.0)
    linear_logp.forward(*inputs, options, options)
    upstream = (torch.zeros(rows), torch.zeros(rows) if options else None)
    linear_logp.backward(*upstream, *inputs, torch.zeros(rows), torch.zeros(rows), True, False, False)
    known = []
    for entry in manifest.ENTRIES:
        kernel = aot.resolve(entry)
        how = (entry.warps, entry.stages, entry.fp_fusion)
        known.append((kernel.__name__, *aot.specialisation(entry, kernel), *how))
    assert [name for name, *_ in launched] == [
        "linear_logp_fwd_kernel",
        "linear_logp_combine_kernel",
        "linear_logp_dlogits_kernel",
    ]
    for call in launched:
        assert call in known, call
