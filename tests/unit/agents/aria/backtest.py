"""Backtests of value at risk: were losses beyond it as many, and as scattered, as its confidence says?

Sources: P. H. Kupiec, Techniques for Verifying the Accuracy of Risk Measurement Models (1995), proportion of failures;
P. F. Christoffersen, Evaluating Interval Forecasts (1998), independence against a first-order Markov chain. Both are
likelihood ratios that tend to chi-square with one degree of freedom.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import log

CHI_SQUARE_99 = 6.635
"""99 % quantile of chi-square with one degree of freedom: what a true model passes 99 times of 100."""


def forecasts(
    gains: Sequence[int], window: int, starts: Sequence[int], hours: int, predict: Callable[[Sequence[int]], int]
) -> list[tuple[int, int]]:
    """Loss and predicted value at risk of each of `hours` from each start on; `predict` sees the `window` before."""
    return [
        (-gains[now], predict(gains[now - window : now])) for start in starts for now in range(start, start + hours)
    ]


def proportion_of_failures(failed: Sequence[bool], share: float) -> float:
    """Kupiec's ratio: 0 when exactly `share` failed."""
    count, hits = len(failed), sum(failed)
    return 2 * (_log_likelihood(hits, count, hits / count) - _log_likelihood(hits, count, share))


def independence(failed: Sequence[bool]) -> float:
    """Christoffersen's ratio: 0 when a failure is as likely after a failure as after none."""
    after_failure = [now for before, now in pairwise(failed) if before]
    after_none = [now for before, now in pairwise(failed) if not before]
    parts = [part for part in (after_failure, after_none) if part]
    chain = sum(_log_likelihood(sum(part), len(part), sum(part) / len(part)) for part in parts)
    both = after_failure + after_none
    return 2 * (chain - _log_likelihood(sum(both), len(both), sum(both) / len(both)))


def _log_likelihood(hits: int, count: int, share: float) -> float:
    missed = count - hits
    return (hits * log(share) if hits else 0.0) + (missed * log(1 - share) if missed else 0.0)
