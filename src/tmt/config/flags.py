"""Flags: short names in the environment, each for one key of the configuration."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import NamedTuple


class Flag(NamedTuple):
    """One environment variable.

    Attributes:
        key: the dotted key that it sets, and nothing else.
        form: what to write, for people.
        value: from the variable's text to the key's; raises ValueError when it is of no use.
    """

    key: str
    form: str
    value: Callable[[str], str]


def verbatim(text: str) -> str:
    """As it stands; the key's own type checks it."""
    if not text.strip():
        raise ValueError("is empty")
    return text.strip()


def switch(text: str) -> str:
    """True or false, in any case."""
    word = text.strip().lower()
    if word not in ("true", "false"):
        raise ValueError(f"must be true or false, was {text!r}")
    return word


def percent(text: str) -> str:
    """A number of percent as a fraction."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f"must be a number of percent, was {text!r}") from None
    if not value.is_finite():
        raise ValueError(f"must be a finite number of percent, was {text!r}")
    return format(value.scaleb(-2), "f")
