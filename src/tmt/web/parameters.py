"""Parameters that addresses share, and pages of what is much."""

from __future__ import annotations

from typing import Annotated, Final, Generic, TypeVar

import msgspec
from litestar.params import PathParameter, QueryParameter

ITEMS_MAX: Final = 500
ITEMS: Final = 100

Limit = Annotated[int, QueryParameter(ge=1, le=ITEMS_MAX, description="Items of the answer at most.")]
Before = Annotated[
    int | None, QueryParameter(ge=1, le=2**62, description="Below this log position; `next` of the page before.")
]
AccountFilter = Annotated[str | None, QueryParameter(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(?!\n)$")]
InstrumentFilter = Annotated[str | None, QueryParameter(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,31}(?!\n)$")]
InstrumentName = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}(?!\n)$")]
MessageId = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9._:-]{4,64}(?!\n)$")]
PersonName = Annotated[str, PathParameter(pattern=r"^[a-z0-9][a-z0-9._@-]{0,63}(?!\n)$")]

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """Some of many, the newest first; `next` asks for those that follow, None when there are no more."""

    items: tuple[T, ...]
    next: int | None
