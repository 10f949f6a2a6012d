"""Feeds: recordings of real markets, read from files, and the simulator."""
