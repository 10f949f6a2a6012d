"""Clusters: instruments that move together, whichever way round."""

from __future__ import annotations

from collections.abc import Sequence

from tmt.agents.anti_correlation.config import AntiCorrelationConfig
from tmt.agents.anti_correlation.covariance import correlate
from tmt.agents.anti_correlation.returns import ReturnSeries


def cluster_of(
    series: dict[str, ReturnSeries], symbol: str, others: Sequence[str], config: AntiCorrelationConfig
) -> dict[str, int]:
    """The connected component of `symbol` among `others`: each member and the way it moves with `symbol`.

    Two instruments are connected from a correlation of `cluster_correlation_min` on, of either sign. 1 moves the same
    way as `symbol`, -1 the other way, by the signs along the shortest path; of equally short ones, the first by name.
    """
    ways = {symbol: 1}
    reached = [symbol]
    while reached:
        before, reached = sorted(reached), []
        for member in before:
            for other in sorted(others):
                coefficient = None if other in ways else correlate(series, member, other, config).coefficient
                if coefficient is not None and abs(coefficient) >= config.cluster_correlation_min:
                    ways[other] = ways[member] * (1 if coefficient > 0 else -1)
                    reached.append(other)
    return ways
