"""Columnar market data: batches, bars, indicators, the simulator, quality checks."""
