"""The package where DSPy is not installed: all but what stands on its classes."""

import subprocess
import sys
from pathlib import Path

HIDDEN = """
import sys

import pyfastlm.together as together

assert not {"torch", "dspy", "transformers"} & set(sys.modules)


class Hidden:  # makes packages look as if they were not installed
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("dspy", "llguidance"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])


sys.meta_path.insert(0, Hidden())
sys.path.insert(0, sys.argv[1])
from programs import small_engine

engine = small_engine()
asked = [("user", "Il mercato")]
assert engine.answers([engine.call(asked, max_tokens=3)])[0].completion_tokens == 3
assert len(engine.choose(asked, ["a", "b"])) == 2
tuned = together.tune(
    engine, engine.model_id, [[*asked, ("assistant", "presto")]], together.TuningOptions(epochs=1, rank=2)
)
assert engine.weights.distance(tuned.model_id).norm > 0
for use in (
    lambda: together.InProcessProvider,
    lambda: engine.complete(None),
    lambda: engine.answers([engine.call(asked, plan=(together.Shaped("a", "{}"),))]),
):
    try:
        use()
    except ImportError as error:
        assert 'pip install "pyfastlm[together]"' in str(error), error
    else:
        raise AssertionError("expected a missing extra")
assert "dspy" not in sys.modules
"""


def test_the_core_needs_no_dspy() -> None:
    tests = str(Path(__file__).parents[2])
    run = subprocess.run([sys.executable, "-c", HIDDEN, tests], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
