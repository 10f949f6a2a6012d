"""Folds of messages, for agents, people and programs to read."""
