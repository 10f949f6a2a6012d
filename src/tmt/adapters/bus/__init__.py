"""Buses."""
