"""TMT: an autonomous paper-trading desk of eight co-operating agents."""

__version__ = "0.1.0"
