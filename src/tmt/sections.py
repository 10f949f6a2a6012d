"""The configuration's sections: what each file holds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from tmt.access.config import AccessConfig
from tmt.adapters.bus.kafka.config import BusConfig
from tmt.adapters.feed.config import FeedsConfig
from tmt.adapters.postgres.config import StoresConfig
from tmt.config import Loaded, load
from tmt.config.flags import Flag, percent, switch, verbatim
from tmt.config.source import did_you_mean
from tmt.domain.account import Account
from tmt.domain.instrument import Instrument
from tmt.domain.news import NewsCalendar
from tmt.domain.session import SessionHours
from tmt.domain.trading_calendar import TradingCalendar
from tmt.engine.config import EngineConfig
from tmt.errors import ConfigError
from tmt.market.config import MarketConfig
from tmt.market.simulator import SimulatorConfig
from tmt.observability.config import TelemetryConfig
from tmt.storage_api.config import StorageConfig
from tmt.topology import AGENT_SECTIONS
from tmt.venue.config import VenueConfig
from tmt.web.config import WebConfig

_ACCOUNT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class AccountsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The paper accounts."""

    accounts: tuple[Account, ...]

    def __post_init__(self) -> None:
        names = [account.account_id for account in self.accounts]
        if len(set(names)) != len(names):
            raise ValueError(f"account_id must be unique, were {names}")
        for name in names:
            if _ACCOUNT.fullmatch(name) is None:
                raise ValueError(f"account_id must be letters, digits, '.', '_' and '-', was {name!r}")


class InstrumentsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The instruments that the desk knows."""

    instruments: tuple[Instrument, ...]

    def __post_init__(self) -> None:
        names = [instrument.symbol for instrument in self.instruments]
        if len(set(names)) != len(names):
            raise ValueError(f"symbol must be unique, were {names}")


SERVICES: Final[dict[str, Any]] = {
    "access": AccessConfig,
    "bus": BusConfig,
    "engine": EngineConfig,
    "storage": StorageConfig,
    "stores": StoresConfig,
    "telemetry": TelemetryConfig,
    "web": WebConfig,
}
"""Sections that say where and how the desk runs. What is decided does not depend on them."""

SECTIONS: Final[dict[str, Any]] = {
    "calendars": dict[str, TradingCalendar],
    "instruments": InstrumentsConfig,
    "accounts": AccountsConfig,
    "news": NewsCalendar,
    "market": MarketConfig,
    "feeds": FeedsConfig,
    "simulator": SimulatorConfig,
    "venue": VenueConfig,
    **AGENT_SECTIONS,
    **SERVICES,
}
"""Name and type of every section of the configuration."""


FLAGS: Final[dict[str, Flag]] = {
    "RISK_MULTIPLIER": Flag("aria.risk_multiplier", "a factor above 0, such as 0.5", verbatim),
    "COMPLIANCE_MODE": Flag("compliance.mode", "strict or lenient", verbatim),
    "CIRCUIT_BREAKER_THRESHOLDS_LOOSE": Flag("circuit_breaker.loose", "true or false", switch),
    "STAGING_MAX_POSITION_SIZE": Flag("aria.position_notional_max", "an amount in the account's currency", verbatim),
    "STAGING_RISK_LIMIT_PERCENT": Flag("aria.risk_fraction_max", "percent of equity, such as 2", percent),
    "DETECTION_INTERVAL": Flag("compliance.surveillance.interval_seconds", "whole seconds", verbatim),
}
"""Environment variables that each set one key."""


def load_config(
    directory: Path | None, *, environment: Mapping[str, str] | None = None, overrides: Sequence[str] = ()
) -> Loaded:
    """Every section of the configuration; see `tmt.config.load`. Without an environment, none is read.

    Raises:
        ConfigError: with every mistake found.
    """
    return load(
        SECTIONS,
        directory=directory,
        environment=environment or {},
        overrides=overrides,
        services=tuple(SERVICES),
        flags=FLAGS,
        complete=with_calendars,
    )


def with_calendars(sections: dict[str, Any]) -> dict[str, Any]:
    """The sections with the days of the calendar that each session names, so that whoever reads it needs no other.

    Raises:
        ConfigError: when there is no such calendar, or it is in another time zone.
    """
    instruments = tuple(
        msgspec.structs.replace(each, session=_in_calendar(each, sections["calendars"]))
        for each in sections["instruments"].instruments
    )
    return {**sections, "instruments": InstrumentsConfig(instruments=instruments)}


def _in_calendar(instrument: Instrument, calendars: Mapping[str, TradingCalendar]) -> SessionHours:
    session, where = instrument.session, f"session.calendar of {instrument.symbol}"
    if not session.calendar:
        return session
    calendar = calendars.get(session.calendar)
    if calendar is None:
        fix = did_you_mean(session.calendar, calendars)
        raise ConfigError("TMT-C006", f"there is no calendar {session.calendar!r}", where=where, fix=fix)
    try:
        return calendar.applied(session)
    except ValueError as error:
        raise ConfigError("TMT-C006", str(error), where=where, fix="name a calendar of the session's zone") from error
