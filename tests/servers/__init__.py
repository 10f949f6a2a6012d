"""Real servers for tests: installed by `python -m tests.servers.install`, started on free ports of 127.0.0.1."""
