"""The eight agents, each a function from one message to some messages; `verdict` is what the gates share."""
