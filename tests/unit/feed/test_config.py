"""How recordings are read: what a configuration may not say."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.feed.given import FEEDS, feeds


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("jump_fraction_max", {"EURUSD": Decimal("0.1")}, "'default'"),
        ("jump_fraction_max", {"default": Decimal(0)}, "above 0"),
        ("jump_fraction_max", {"default": Decimal("0.1"), "EURUSD": Decimal("1.000001")}, "EURUSD must be at most 1"),
        ("jump_fraction_max", {"default": Decimal("0.0000005")}, "whole millionths"),
        ("jump_fraction_max", {"default": Decimal("-0.1")}, "default"),
        ("jump_rows_to_confirm", 0, "at least 1, was 0"),
        ("file_megabytes_max", 0, "at least 1, was 0"),
        ("gaps_kept_max", -1, "at least 0, was -1"),
        ("synthetic_spread_ticks", 0, "at least 1, was 0"),
        ("gap_seconds_max", {"EURUSD": 1}, "'default'"),
    ],
)
def test_a_limit_out_of_its_range_is_refused_by_name(field: str, value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=field) as caught:
        feeds(**{field: value}).__post_init__()
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("jump_fraction_max", {"default": Decimal("0.000001"), "SPY": Decimal(1)}),
        ("jump_rows_to_confirm", 1),
        ("file_megabytes_max", 1),
        ("gaps_kept_max", 0),
        ("synthetic_spread_ticks", 1),
    ],
)
def test_a_limit_at_the_end_of_its_range_is_accepted(field: str, value: Any) -> None:
    feeds(**{field: value}).__post_init__()


def test_the_bound_of_a_file_is_in_millions_of_bytes() -> None:
    assert FEEDS.file_bytes_max == 512_000_000
