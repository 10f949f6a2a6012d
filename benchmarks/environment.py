"""Where a benchmark runs: the machine in a few words, and virtual environments for the peers."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

PEERS = Path(__file__).parent / ".peers"
TOOLS = Path(__file__).parents[1] / ".venv-tools" / "env" / "bin" / "uv"


def describe() -> dict[str, str | int]:
    """Processor, cores, memory and versions; neither a path nor the machine's name."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "memory_gb": round(memory_bytes / 2**30),
        "system": platform.system(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def peer_python(name: str, requirement: str) -> Path:
    """The interpreter of the environment `name`, which is made once and holds `requirement`."""
    folder = PEERS / name
    python = folder / "bin" / "python"
    made = folder / "made-for"
    if not (made.exists() and made.read_text(encoding="utf-8") == requirement):
        PEERS.mkdir(exist_ok=True)
        (PEERS / ".gitignore").write_text("*\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder, python, requirement)
        made.write_text(requirement, encoding="utf-8")
    return python


def _make(folder: Path, python: Path, requirement: str) -> None:
    uv = shutil.which("uv") or (str(TOOLS) if TOOLS.exists() else None)
    if uv is not None:
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), requirement], check=True)
    else:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", requirement], check=True)
