"""Is a service's description true? schemathesis asks, over the wire, what nobody would think of."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

EXCLUDED = (
    # Much that is valid by form is refused by the desk, with a reason: a name that nobody has, an order too large.
    "positive_data_acceptance",
    # Nothing here is made at one address and found at another by links that schemathesis could guess.
    "ensure_resource_availability",
    "use_after_free",
)
EXAMPLES_MAX = 40


def check_schema(
    url: str,
    headers: Mapping[str, str],
    folder: Path,
    *,
    exclude_paths: tuple[str, ...] = (),
    exclude_checks: tuple[str, ...] = (),
    examples_max: int = EXAMPLES_MAX,
) -> None:
    """Fail when the service at `url` breaks its description (`/openapi.json`) anywhere.

    Args:
        headers: credentials of somebody who may do as much as anybody.
        folder: for what schemathesis writes.
        exclude_paths: addresses that end what the run needs, such as the log-out of its own session.
    """
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        f"{url.rstrip('/')}/openapi.json",
        "--phases=examples,coverage,fuzzing",
        "--checks=all",
        f"--exclude-checks={','.join((*EXCLUDED, *exclude_checks))}",
        f"--max-examples={examples_max}",
        "--seed=1",
        "--warnings=off",
        "--request-timeout=15",
        "--continue-on-failure",
        "--suppress-health-check=all",
        *(f"--header={name}: {value}" for name, value in headers.items()),
        *(f"--exclude-path={path}" for path in exclude_paths),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, f"{done.stdout[-8000:]}\n{done.stderr[-2000:]}"
