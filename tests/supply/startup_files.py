"""Files that Python runs whenever it starts in an environment, whether or not anything imports them: lines of .pth
files, `sitecustomize` and `usercustomize`. A package that was tampered with hides there best."""

from fnmatch import fnmatch
from importlib.metadata import distributions
from pathlib import Path

KNOWN = {
    "distutils-precedence.pth": "setuptools",
    "a1_coverage.pth": "coverage",
    "__editable__.bottega-*.pth": "bottega",
}
"""File, or a pattern -> the distribution that brings it."""


def strange_startup_files(site: Path) -> list[str]:
    """Files in a site-packages folder that run code or add folders at the start, other than the known ones of their
    distributions."""
    strange = [found.name for name in ("sitecustomize", "usercustomize") for found in site.glob(f"{name}*")]
    for file in sorted(site.glob("*.pth")):
        brings = [name for pattern, name in KNOWN.items() if fnmatch(file.name, pattern)]
        if not any(is_brought_by(name, file.name, site) for name in brings):
            strange.append(file.name)
    return strange


def is_brought_by(distribution: str, file: str, site: Path) -> bool:
    """Whether the record of a distribution in a site-packages folder names a file at its top."""
    return any(
        str(path) == file for found in distributions(name=distribution, path=[str(site)]) for path in found.files or ()
    )
