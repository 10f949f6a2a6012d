"""A connection that gives up a server which says nothing: one that hangs, or is cut off without a word."""

from __future__ import annotations

from typing import Final, TypeAlias, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

Connection: TypeAlias = psycopg.Connection[TupleRow]
T = TypeVar("T")

_CHECK_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 0.1


class BoundedConnection(psycopg.Connection[TupleRow]):
    """Every answer is waited for at most `answer_seconds`; then the connection is closed, and what was asked unknown.

    The server's own `statement_timeout` should be shorter: it tells, and keeps the connection.
    """

    answer_seconds: float = 15.0

    def wait(self, gen: PQGen[T], interval: float = _LOOK_SECONDS, timeout: float | None = None) -> T:
        """Wait for the answer; see the class above."""
        bound = self.answer_seconds if timeout is None else timeout
        try:
            return super().wait(gen, interval, bound)
        except psycopg.OperationalError as error:
            if self.info.transaction_status is not TransactionStatus.ACTIVE:
                raise
            self.close()
            raise psycopg.OperationalError(f"no answer within {bound:g} s") from error

    def check(self) -> None:
        """Raise OperationalError unless the server answers, and soon."""
        usual = self.answer_seconds
        self.answer_seconds = min(usual, _CHECK_SECONDS)
        try:
            self.execute("")
        finally:
            self.answer_seconds = usual
