"""Value at risk by the EWMA method in plain floats, by the words of docs/gates/aria.md: it shares no code with ARIA."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from math import sqrt
from statistics import NormalDist, mean
from typing import Any

from tests.property.desk_reference import Books, price_of
from tmt.domain.order import Order

Gains = list[float]
SLACK = 1 + 1e-6


def value_at_risk_breaches(books: Books, order: Order, config: Any) -> Iterator[str]:
    """What an order breaks that its account may lose, unless the account would lose as much without it."""
    name, symbol, sign = order.account, order.instrument, order.side.sign
    held = {each: units for each, units in books.holdings(name) if each != symbol or units * sign > 0}
    working = [
        each.order
        for each in books.others(order, name)
        if each.left and (each.order.instrument != symbol or each.order.side is order.side)
    ]
    opposed = {each.instrument for each in working if held.get(each.instrument, 0) * each.side.sign < 0}
    common = _common(books, {*held, *(each.instrument for each in working), symbol}, config)
    if len(common[symbol]) < config.returns_min:
        return
    value = order.quantity * books.worth(name, symbol, price_of(order)) * sign
    limit = float(config.value_at_risk_fraction_max * books.equity(name))
    for left_out in (set(), opposed):
        worths = {each: float(books.stakes(name, each, order)[0]) for each in held if each not in left_out}
        alone = _gains(worths, common, len(common[symbol]))
        for gains in (alone, _filled(books, order, alone, common, config)):
            before, after = _loss(gains, config), _loss(_plus(gains, common[symbol], float(value)), config)
            if after > max(limit, before) * SLACK:
                yield f"value at risk: {after} is more than {limit}"


def _filled(books: Books, order: Order, gains: Gains, common: dict[str, Gains], config: Any) -> Gains:
    """With each working order, in turn, that makes it worse."""
    for each in books.others(order, order.account):
        symbol, side = each.order.instrument, each.order.side
        if not each.left or (symbol == order.instrument and side is not order.side):
            continue
        value = each.left * books.worth(order.account, symbol, price_of(each.order)) * side.sign
        filled = _plus(gains, common[symbol], float(value))
        gains = max(gains, filled, key=lambda outcome: _deviation(outcome, float(config.ewma_decay)))
    return gains


def _loss(gains: Gains, config: Any) -> float:
    decay = float(config.ewma_decay)
    return _multiple(gains, float(config.confidence), decay) * _deviation(gains, decay)


def _common(books: Books, symbols: set[str], config: Any) -> dict[str, Gains]:
    known = {symbol: _returns(books, symbol, config) for symbol in symbols}
    ends = sorted(set.intersection(*(set(each) for each in known.values())))
    return {symbol: [returns[end] for end in ends] for symbol, returns in known.items()}


def _returns(books: Books, symbol: str, config: Any) -> dict[int, float]:
    bars = [bar for bar in books.bars.get(symbol, ()) if bar.timeframe is config.timeframe]
    newest = list(pairwise(bars))[-config.returns_max :]
    return {bar.end_ns: float(bar.close) / float(before.close) - 1 for before, bar in newest}


def _gains(worths: dict[str, float], common: dict[str, Gains], count: int) -> Gains:
    gains = [0.0] * count
    for symbol, worth in worths.items():
        gains = _plus(gains, common[symbol], worth)
    return gains


def _plus(gains: Gains, returns: Gains, worth: float) -> Gains:
    return [gain + worth * change for gain, change in zip(gains, returns, strict=True)]


def _deviation(gains: Gains, decay: float) -> float:
    variance = mean(gain * gain for gain in gains)
    for gain in gains:
        variance = decay * variance + (1 - decay) * gain * gain
    return sqrt(variance)


def _multiple(gains: Gains, confidence: float, decay: float) -> float:
    variance = mean(gain * gain for gain in gains)
    multiples = []
    for gain in gains:
        multiples.append(-gain / sqrt(variance) if variance else 0.0)
        variance = decay * variance + (1 - decay) * gain * gain
    beyond = int((1 - Decimal(str(confidence))) * len(gains))
    return max(NormalDist().inv_cdf(confidence), sorted(multiples, reverse=True)[beyond])
