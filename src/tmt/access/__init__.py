"""Who may do what: people, roles, passwords, tokens, keys, the audit trail, certificates."""

from typing import TYPE_CHECKING, Any

from tmt.access.config import AccessConfig
from tmt.access.refusals import ERROR_CODES, AccessRefused
from tmt.access.roles import PERMISSIONS, Operation, Principal, Role
from tmt.access.secret import Secret

if TYPE_CHECKING:
    from tmt.access.access import Access, Tokens

__all__ = [
    "ERROR_CODES",
    "PERMISSIONS",
    "Access",
    "AccessConfig",
    "AccessRefused",
    "Operation",
    "Principal",
    "Role",
    "Secret",
    "Tokens",
]


def __getattr__(name: str) -> Any:
    # Loading the configuration imports this package; it need not wait a quarter of a second for cryptography.
    if name in {"Access", "Tokens"}:
        from tmt.access import access  # noqa: PLC0415

        return getattr(access, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
