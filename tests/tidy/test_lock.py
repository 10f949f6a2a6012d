"""The lock file is the one that pyproject.toml asks for, and names the public package index alone."""

import tomllib
from typing import Any

from tests.tidy.source import REPOSITORY

PUBLIC_INDEX = "https://pypi.org/simple"
PUBLIC_FILES = "https://files.pythonhosted.org/"


def toml(name: str) -> dict[str, Any]:
    return tomllib.loads((REPOSITORY / name).read_text("utf-8"))


def plain(requirement: str) -> str:
    return requirement.replace(" ", "").lower()


def locked(requirement: dict[str, Any]) -> str:
    extras = f"[{','.join(requirement['extras'])}]" if "extras" in requirement else ""
    return plain(f"{requirement['name']}{extras}{requirement.get('specifier', '')}")


def test_the_lock_holds_what_the_project_asks_for() -> None:
    project = toml("pyproject.toml")
    [ours] = [package for package in toml("uv.lock")["package"] if package["name"] == project["project"]["name"]]
    assert {locked(one) for one in ours["metadata"]["requires-dist"]} == set(
        map(plain, project["project"]["dependencies"])
    ), "run: uv lock"
    for group, requirements in project["dependency-groups"].items():
        assert {locked(one) for one in ours["metadata"]["requires-dev"][group]} == set(map(plain, requirements))


def test_every_package_comes_from_the_public_index() -> None:
    packages = [package for package in toml("uv.lock")["package"] if "editable" not in package["source"]]
    assert packages
    for package in packages:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert package["source"] == {"registry": PUBLIC_INDEX}
        assert all(file["url"].startswith(PUBLIC_FILES) for file in files)
