"""What goes wrong with a series."""

from __future__ import annotations

from tmt.errors import InputError, StoreUnavailable
from tmt.ports.series import Mark


def unavailable(error: Exception | str, where: str) -> StoreUnavailable:
    """The error for a store that cannot be used."""
    return StoreUnavailable("TMT-Q001", f"cannot use the series: {error}", where=where)


def refuse_other_mark(found: Mark, after: Mark, mark: Mark, where: str) -> None:
    """Raise InputError unless the rows between `after` and `mark` are those that come next."""
    if found != after:
        raise InputError(
            "TMT-Q002",
            f"the series is at position {found.position}, and rows of {after.position + 1} to {mark.position} came",
            where=where,
            fix="let one process write the series, and give each event log a series of its own",
        )
