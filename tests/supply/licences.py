"""`python -m tests.supply.licences`: has everything that is installed a licence that the project can stand on?

Reads what the distributions in this environment say of themselves: the SPDX expression, else the classifiers, else the
free text. Exit code 1 where a licence is not allowed or not known."""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.metadata import Distribution, distributions

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

PERMISSIVE = (
    "0BSD Apache-2.0 BSD-2-Clause BSD-3-Clause BSL-1.0 CC0-1.0 CNRI-Python HPND ISC MIT MIT-CMU PSF-2.0 Python-2.0 "
    "Unlicense Zlib"
)
FOR_THEIR_OWN_FILES = "LGPL-3.0-only LGPL-3.0-or-later MPL-2.0"
"""These ask for their own source to stay open, not for that of whoever imports them."""

ALLOWED = frozenset(f"{PERMISSIVE} {FOR_THEIR_OWN_FILES}".split(" "))

DECIDED = {
    "forbiddenfruit": ("MIT", "GPL 3 or MIT at one's choice, which its two classifiers do not say"),
    "nvidia-*": ("LicenseRef-NVIDIA", "comes with a CUDA build of torch and is not passed on by this project"),
    "cuda-*": ("LicenseRef-NVIDIA", "comes with a CUDA build of torch and is not passed on by this project"),
}
"""Distribution, or a pattern -> the licence that holds for it whatever its metadata say, and why."""

CLASSIFIERS = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: Python Software Foundation License": "PSF-2.0",
}
"""Classifier -> SPDX. One that is not here is kept as it is, and so not allowed."""

SILENT_CLASSIFIERS = {"License :: OSI Approved", "License :: DFSG approved"}
"""Classifiers that name no licence."""

FREE_TEXTS = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "isc license": "ISC",
    "mit license": "MIT",
}
"""What people write into the free field, in small letters -> SPDX."""


@dataclass(frozen=True, slots=True)
class Licence:
    """What one distribution says of its licence; `expression` is empty where it says nothing that is understood."""

    name: str
    expression: str
    decided: bool = False

    def is_allowed(self) -> bool:
        return self.decided or (bool(self.expression) and can_be_met(self.expression))


def can_be_met(expression: str) -> bool:
    """Whether allowed licences satisfy an SPDX expression: each side of an AND, one side of an OR. An exception (WITH)
    only permits more."""
    tokens = re.findall(r"[()]|[^\s()]+", expression)

    def one() -> bool:
        token = tokens.pop(0)
        if token == "(":
            inside = either()
            tokens.pop(0)
            return inside
        if tokens[:1] == ["WITH"]:
            del tokens[:2]
        return token in ALLOWED

    def both() -> bool:
        met = one()
        while tokens[:1] == ["AND"]:
            tokens.pop(0)
            met = one() and met
        return met

    def either() -> bool:
        met = both()
        while tokens[:1] == ["OR"]:
            tokens.pop(0)
            met = both() or met
        return met

    return either()


def expression_of(spdx: str, classifiers: Iterable[str], text: str) -> str:
    """The SPDX expression that a distribution's metadata amount to, "" where they amount to none. Several classifiers
    do not say whether one has the choice, so that all of them count."""
    if spdx:
        return canonical_expression(spdx)
    licences = [name for name in classifiers if name.startswith("License ::") and name not in SILENT_CLASSIFIERS]
    if licences:
        known = [CLASSIFIERS.get(name, "") for name in licences]
        return " AND ".join(known) if all(known) else ""
    return FREE_TEXTS.get(text.strip().casefold(), "") or canonical_expression(text)


def canonical_expression(text: str) -> str:
    try:
        return canonicalize_license_expression(text)
    except InvalidLicenseExpression:
        return ""


def licence_of(distribution: Distribution) -> Licence:
    """What holds for an installed distribution."""

    def field(name: str) -> list[str]:
        return [str(value) for value in distribution.metadata.get_all(name) or ()]

    name = distribution.name
    for pattern, (expression, _) in DECIDED.items():
        if fnmatch(name.lower(), pattern):
            return Licence(name, expression, decided=True)
    spdx, text = "".join(field("License-Expression")), "".join(field("License"))
    return Licence(name, expression_of(spdx, field("Classifier"), text))


def installed_licences() -> Iterator[Licence]:
    """The licence of each distribution in this environment."""
    for distribution in distributions():
        yield licence_of(distribution)


def faults_of(licences: Iterable[Licence]) -> list[str]:
    """A line for each licence that is not allowed."""
    return [
        f"{licence.name}: {licence.expression or 'its metadata name no licence that is known here'}"
        for licence in sorted(licences, key=lambda licence: licence.name.lower())
        if not licence.is_allowed()
    ]


def main() -> None:
    licences = list(installed_licences())
    for expression, count in Counter(licence.expression or "unknown" for licence in licences).most_common():
        print(f"{count:4d}  {expression}")
    faults = faults_of(licences)
    if faults:
        print("\nnot allowed:", *faults, sep="\n  ", file=sys.stderr)
        print("Replace the package, or add to ALLOWED or DECIDED in tests/supply/licences.py why not.", file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
