"""Roles, operations, and which role may do what."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec


class Role(StrEnum):
    """What somebody is on the desk; SERVICE is for programs of the desk itself."""

    VIEWER = "viewer"
    TRADER = "trader"
    RISK = "risk"
    ADMIN = "admin"
    SERVICE = "service"


class Operation(StrEnum):
    """A kind of doing.

    READ: look. TRADE: place, change and cancel orders. STOP: stop all trading. RESUME: lift a stop. TUNE: parameters
    and proposals. ADMINISTER: people, keys, audit trail. INGEST: market data for load tests. COMMAND: between services.
    """

    READ = "read"
    TRADE = "trade"
    STOP = "stop"
    RESUME = "resume"
    TUNE = "tune"
    ADMINISTER = "administer"
    INGEST = "ingest"
    COMMAND = "command"


_O = Operation
PERMISSIONS: Final[Mapping[Role, frozenset[Operation]]] = MappingProxyType(
    {
        Role.VIEWER: frozenset({_O.READ}),
        Role.TRADER: frozenset({_O.READ, _O.TRADE, _O.STOP}),
        Role.RISK: frozenset({_O.READ, _O.STOP, _O.RESUME, _O.TUNE}),
        Role.ADMIN: frozenset({_O.READ, _O.ADMINISTER, _O.STOP, _O.RESUME, _O.INGEST}),
        Role.SERVICE: frozenset({_O.READ, _O.COMMAND, _O.INGEST}),
    }
)
"""Nobody both administers and trades; whoever may trade may stop trading; risk and admin lift a stop."""


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking.

    Attributes:
        name: the person's, or the service's.
        accounts: the accounts that may be touched; empty is all.
        method: "password", "password+totp", "api_key" or "service".
        session_id: of the session, or the key's id, or the service's name.
        must_change_password: nothing is permitted until the first password is changed.
    """

    name: str
    role: Role
    accounts: tuple[str, ...]
    method: str
    session_id: str
    must_change_password: bool = False

    def may(self, operation: Operation, account: str | None = None) -> bool:
        """Whether the operation is permitted, on an account if one is named."""
        if self.must_change_password or operation not in PERMISSIONS[self.role]:
            return False
        return account is None or not self.accounts or account in self.accounts
