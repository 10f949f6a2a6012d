"""An account refuses what would make its limits or its keys meaningless."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.core.samples import make_account


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"account_id": ""}, "account_id must be a name without '/', was ''"),
        ({"account_id": "alpha/EURUSD"}, "account_id must be a name without '/', was 'alpha/EURUSD'"),
        ({"deposit": Decimal(0)}, "deposit must be positive"),
        ({"instruments": ()}, "instruments of account alpha must name at least one"),
        ({"time_zone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"day_starts_at": "25:00"}, "25:00"),
    ],
)
def test_what_is_no_account_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make_account(**changes)
