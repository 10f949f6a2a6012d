"""What the API's answers look like, for its description; made from the columns, so that it cannot differ from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec
import pyarrow as pa
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import OpenAPIHeader, OpenAPIMediaType, OpenAPIType, Operation, Schema

from tmt.domain.money import Exact
from tmt.ports.records import BalanceRow, FillRow, OrderRow, PositionRow, PostingRow
from tmt.ports.series import NULLABLE, QUANTILES_SCHEMA, SCHEMAS
from tmt.storage_api.formats import MEDIA_TYPES, NEXT_HEADER, Format

_KINDS: Final[dict[pa.DataType, Any]] = {pa.string(): str, pa.int64(): int}


def _page_of(name: str, row: Any) -> ResponseSpec:
    page = msgspec.defstruct(f"{name}Page", [("rows", list[row]), ("next", str | None)])
    return ResponseSpec(page, generate_examples=False, description="Rows, and the cursor of the page that follows.")


def _row(name: str, schema: pa.Schema) -> Any:
    fields = [(field.name, _KINDS.get(field.type, Exact)) for field in schema]
    return msgspec.defstruct(name, [(each, kind | None if each in NULLABLE else kind) for each, kind in fields])


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the event log that is a decision; `message` is the message, and `account` null when everybody's."""

    position: int
    recorded_at_ns: int
    occurred_at_ns: int
    type: str
    message_id: str
    correlation_id: str
    account: str | None
    message: dict[str, Any]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a statement."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


PAGES: Final = {
    "quotes": _page_of("Quotes", _row("Quote", SCHEMAS["quotes"])),
    "trades": _page_of("Trades", _row("Trade", SCHEMAS["trades"])),
    "candles": _page_of("Candles", _row("Candle", SCHEMAS["bars"])),
    "equity": _page_of("Equity", _row("EquityPoint", SCHEMAS["equity"])),
    "metrics": _page_of("Metrics", _row("MetricValue", SCHEMAS["metrics"])),
    "latency": _page_of("Latency", _row("Latency", QUANTILES_SCHEMA)),
    "decisions": _page_of("Decisions", Decision),
    "orders": _page_of("Orders", OrderRow),
    "fills": _page_of("Fills", FillRow),
    "positions": _page_of("Positions", PositionRow),
    "postings": _page_of("Postings", PostingRow),
    "balances": _page_of("Balances", BalanceRow),
}
ANSWER: Final = ResponseSpec(Answer, generate_examples=False, description="Columns and rows.")


@dataclass
class InEveryFormat(Operation):
    """An operation whose answer may also be CSV or an Arrow stream."""

    def __post_init__(self) -> None:
        answer = (self.responses or {})["200"]
        assert not isinstance(answer, str)
        content = getattr(answer, "content", None) or {}
        for form in (Format.CSV, Format.ARROW):
            content[MEDIA_TYPES[form]] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))


@dataclass
class Paged(InEveryFormat):
    """An operation that answers in pages."""

    def __post_init__(self) -> None:
        super().__post_init__()
        answer: Any = (self.responses or {})["200"]
        answer.headers = {
            NEXT_HEADER: OpenAPIHeader(
                schema=Schema(type=OpenAPIType.STRING),
                description="The `cursor` of the page that follows; missing on the last.",
                required=False,
            )
        }
