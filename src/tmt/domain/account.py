"""Accounts: who owns the money, in which currency, and when its trading day turns over."""

from __future__ import annotations

import msgspec

from tmt.domain.money import Exact, positive
from tmt.domain.session import SessionHours


class Account(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One paper account.

    Attributes:
        account_id: its name in every message; no "/", for keys are "account/instrument".
        currency: the currency its equity is valued in.
        deposit: opening cash in that currency.
        instruments: symbols it may trade.
        rule_book: name of the compliance rule book that binds it.
        time_zone: IANA zone of its trading day.
        day_starts_at: wall-clock time "HH:MM" at which daily limits start anew.
        owner: whose money it is, and who answers for the orders of its strategies.
        venue: where its orders go.
    """

    account_id: str
    currency: str
    deposit: Exact
    instruments: tuple[str, ...]
    rule_book: str
    time_zone: str
    day_starts_at: str
    owner: str = "owner"
    venue: str = "paper"

    def __post_init__(self) -> None:
        positive("deposit", self.deposit)
        if not self.account_id or "/" in self.account_id:
            raise ValueError(f"account_id must be a name without '/', was {self.account_id!r}")
        if not self.instruments:
            raise ValueError(f"instruments of account {self.account_id} must name at least one")
        self.day()

    def day(self) -> SessionHours:
        """The account's trading day, as always-open hours."""
        return SessionHours(time_zone=self.time_zone, open=(), day_starts_at=self.day_starts_at)
