"""Where values are kept that may be gone at any moment."""
