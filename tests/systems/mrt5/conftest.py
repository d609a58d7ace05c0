import sys
from collections.abc import Iterator
from pathlib import Path

import jobs
import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))  # `import oracle`

settings.register_profile("house", deadline=None)  # CI machines pause
settings.load_profile("house")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with jobs.one_thread():
        yield
