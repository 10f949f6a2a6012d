"""`tmt completion`: the script that a shell sources."""

from __future__ import annotations

import sys

from click.shell_completion import get_completion_class

from tmt.cli.app import build
from tmt.cli.folders import Chosen
from tmt.cli.terminal import Terminal
from tmt.config.source import did_you_mean
from tmt.errors import InputError

SHELLS = ("bash", "zsh", "fish")


def run(terminal: Terminal, chosen: Chosen, shell: str) -> None:
    """Print the script."""
    found = get_completion_class(shell) if shell in SHELLS else None
    if found is None:
        raise InputError("TMT-X004", f"no completion for the shell {shell!r}", fix=did_you_mean(shell, SHELLS))
    # `source` asks bash for its version; a script can be written without a bash at hand.
    completion = found(build(), {}, "tmt", "_TMT_COMPLETE")
    sys.stdout.write(completion.source_template % completion.source_vars())
