"""Doors: how commands reach the desk's thread, from the same process or from another."""
