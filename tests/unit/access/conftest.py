"""A desk to let people into, closed at the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.access.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.close()
