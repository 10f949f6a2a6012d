"""`tmt`: runs a command, and prints every error as code, what, where and what to do."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from tmt.cli.app import build
from tmt.cli.exit_codes import ExitCode
from tmt.cli.explanations import FIXES
from tmt.errors import ConfigError, TmtError


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command line and exit with its status."""
    words = sys.argv[1:] if arguments is None else arguments
    sys.exit(run(words))


def run(words: list[str]) -> int:
    """Run one command line; return its exit status."""
    try:
        status = build().main(words, prog_name="tmt", standalone_mode=False)
        return status if isinstance(status, int) else ExitCode.OK
    except TmtError as error:
        return _fail(words, error, error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(f"{error.format_message()}\n")
        return ExitCode.USAGE
    except click.ClickException as error:
        return _fail(words, _usage_error(error), ExitCode.USAGE)
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("\ninterrupted\n")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe went away; nothing more can be said on it, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001  the last line of defence: a person never meets a bare traceback
        if "--debug" in words:
            import traceback

            traceback.print_exc()
        fix = "run it again with --debug, and report it with `tmt doctor --bundle report.tar.gz`"
        unforeseen = TmtError("TMT-X001", f"unforeseen: {type(error).__name__}: {error}", fix=fix)
        return _fail(words, unforeseen, ExitCode.UNEXPECTED)


def _usage_error(error: click.ClickException) -> TmtError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "tmt"
    return TmtError("TMT-X002", error.format_message(), where=path, fix=f"`{path} --help` shows what it takes")


def _fail(words: list[str], error: TmtError, exit_code: int) -> int:
    problems = error.problems if isinstance(error, ConfigError) else ()
    lines = [*problems, f"error {error.code}: {error.what}"]
    if error.where:
        lines.append(f"  where: {error.where}")
    fix = error.fix or FIXES.get(error.code, "")
    if fix:
        lines.append(f"  fix:   {fix}")
    lines.append(f"  more:  tmt explain {error.code}")
    sys.stderr.write("\n".join(lines) + "\n")
    if "--json" in words:
        import msgspec

        from tmt.cli.results import Failure

        failure = Failure(
            code=error.code,
            what=error.what,
            where=error.where,
            fix=fix,
            problems=tuple(problems),
            exit_code=exit_code,
        )
        sys.stdout.write(msgspec.json.encode(failure).decode() + "\n")
    return int(exit_code)


if __name__ == "__main__":
    main()
