"""The peer that defines the names: PyPI's perplexity-correlations, where it is installed."""

from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    return pytest.importorskip(
        "perplexity_correlations.estimation", reason="perplexity-correlations is not installed (extra test)"
    )


@pytest.fixture(scope="session")
def reference_projections() -> ModuleType:
    return pytest.importorskip(
        "perplexity_correlations.projection", reason="perplexity-correlations is not installed (extra test)"
    )
