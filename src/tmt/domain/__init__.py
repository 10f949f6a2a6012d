"""Pure values and rules: money, instruments, orders, positions, accounts, the ledger."""
