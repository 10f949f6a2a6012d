"""A batch of market data packs and unpacks to the same rows, whatever they are."""

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tmt.market.batch import COLUMNS, MarketBatch, PackedColumn, pack, unpack

LOWEST, HIGHEST = -(2**63), 2**63 - 1
NAMES = [name for name, _ in COLUMNS]


def batch_of(rows: list[list[int]], first_sequence: int = 0) -> MarketBatch:
    table: NDArray[np.int64] = np.array(rows, dtype=np.int64).reshape(len(rows), len(NAMES))
    columns = {name: np.ascontiguousarray(table[:, index]) for index, name in enumerate(NAMES)}
    return MarketBatch(symbols=("A", "B"), first_sequence=first_sequence, **columns)


def rows_of(batch: MarketBatch) -> list[list[int]]:
    return [list(row) for row in zip(*(getattr(batch, name).tolist() for name in NAMES), strict=True)]


def round_trip(batch: MarketBatch) -> MarketBatch:
    raw = msgspec.json.encode(pack(batch))
    columns = msgspec.json.decode(raw, type=tuple[PackedColumn, ...])
    return unpack(batch.symbols, batch.first_sequence, len(batch), columns)


ANY = st.one_of(st.integers(LOWEST, HIGHEST), st.sampled_from([LOWEST, HIGHEST, -1, 0, 1, 127, 128, 2**31]))


@given(st.lists(st.lists(ANY, min_size=9, max_size=9), min_size=1, max_size=30))
@example([[0] * 9])
@example([[HIGHEST] * 9])
@example([[LOWEST] * 9, [HIGHEST] * 9])
@example([[HIGHEST] * 9, [LOWEST] * 9, [HIGHEST] * 9])
def test_any_rows_come_back(rows: list[list[int]]) -> None:
    assert rows_of(round_trip(batch_of(rows))) == rows


@pytest.mark.parametrize(
    ("difference", "width"),
    [
        (0, 0),
        (1, 1),
        (127, 1),
        (-128, 1),
        (128, 2),
        (-129, 2),
        (32767, 2),
        (32768, 4),
        (-32769, 4),
        (2**31, 8),
        (2**62, 8),
    ],
)
def test_differences_take_the_narrowest_type_that_holds_them(difference: int, width: int) -> None:
    batch = batch_of([[0] * 9, [difference] * 9])
    assert {column.width for column in pack(batch)} == {width}
    assert rows_of(round_trip(batch)) == [[0] * 9, [difference] * 9]


def test_a_batch_without_rows_comes_back_empty() -> None:
    assert rows_of(round_trip(batch_of([]))) == []


def test_a_batch_keeps_its_symbols_and_counts_its_rows_from_its_first() -> None:
    batch = round_trip(batch_of([[row] * 9 for row in range(5)], first_sequence=40))
    assert batch.symbols == ("A", "B")
    middle = batch.rows(2, 4)
    assert (middle.first_sequence, rows_of(middle)) == (42, [[2] * 9, [3] * 9])


@pytest.mark.parametrize(
    ("column", "rows"),
    [
        (PackedColumn(0, 1, b"\x01"), 3),
        (PackedColumn(0, 1, b"\x01"), 1),
        (PackedColumn(0, 1, b""), 0),
        (PackedColumn(0, 2, b"\x01"), 2),
        (PackedColumn(0, 3, b"\x01\x01\x01"), 2),
        (PackedColumn(0, -1, b"\x01"), 2),
    ],
)
def test_columns_that_do_not_fit_are_refused(column: PackedColumn, rows: int) -> None:
    with pytest.raises(ValueError, match=r"differences|width|multiple|size"):
        unpack(("A",), 0, rows, (column,) * 9)


@pytest.mark.parametrize("columns", [0, 8, 10])
def test_a_batch_of_another_number_of_columns_is_refused(columns: int) -> None:
    with pytest.raises(ValueError, match="9 columns"):
        unpack(("A",), 0, 1, (PackedColumn(0, 0, b""),) * columns)
