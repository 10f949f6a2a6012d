"""What the desk tells those who run it: metrics, and a log of errors."""
