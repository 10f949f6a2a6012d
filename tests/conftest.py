"""What every test may ask for: the recorded market data, and property tests that repeat themselves in CI."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.servers.fixtures"]

IN_CI = bool(os.environ.get("CI"))
REPOSITORY = Path(__file__).resolve().parents[1]

settings.register_profile("default", deadline=None, derandomize=IN_CI, print_blob=True)
settings.load_profile("default")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of recorded market data: TMT_TEST_DATA, or `shared/data` beside the checkout."""
    folder = Path(os.environ.get("TMT_TEST_DATA", REPOSITORY / ".." / "shared" / "data")).resolve()
    if not folder.is_dir():
        reason = f"no test data in {folder}: set TMT_TEST_DATA to the folder of recorded market data"
        if IN_CI:
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
