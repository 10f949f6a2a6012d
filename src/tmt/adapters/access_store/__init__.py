"""Where people, keys, sessions and the audit trail are kept."""
