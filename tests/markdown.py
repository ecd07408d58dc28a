"""What a Markdown file says that can be checked: blocks of code, links, anchors, names of files, long lines. Pure
module."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

WIDTH = 120

FENCE = re.compile(r"^( *)(```+)(\w*)$")
NOT_RUN = re.compile(r"^\s*<!-- not run: \S.* -->$")


@dataclass(frozen=True)
class Block:
    """Fenced code. `excused` says that the comment `<!-- not run: reason -->` stands before it."""

    language: str
    code: str
    line: int
    excused: bool


def blocks_of(text: str) -> list[Block]:
    """Fenced code, in its order."""
    found: list[Block] = []
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        if opening := FENCE.match(lines[number]):
            first = number + 1
            number = first
            while number < len(lines) and lines[number].strip() != opening[2]:
                number += 1
            before = next((line for line in reversed(lines[: first - 1]) if line.strip()), "")
            code = "".join(f"{line.removeprefix(opening[1])}\n" for line in lines[first:number])
            found.append(Block(opening[3], code, first, bool(NOT_RUN.match(before))))
        number += 1
    return found


def prose_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines outside of fenced code, with their numbers."""
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        if fence:
            fence = "" if line.strip() == fence else fence
        elif opening := FENCE.match(line):
            fence = opening[2]
        else:
            yield number, line


def long_lines(text: str) -> list[int]:
    """Numbers of lines that are too long. Rows of tables cannot be wrapped, nor can addresses."""
    return [
        number
        for number, line in prose_lines(text)
        if len(line) > WIDTH and not line.lstrip().startswith("|") and "://" not in line
    ]


def inline_code(text: str) -> list[str]:
    """Code between single backticks, each on one line."""
    prose = "\n".join(line for _, line in prose_lines(text))
    return [" ".join(code.split()) for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose)]


def links_of(text: str) -> list[str]:
    """Targets of links and pictures that lie in the repository, anchors included."""
    prose = re.sub(r"`[^`]+`", "", "\n".join(line for _, line in prose_lines(text)))
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in target]


def anchors_of(text: str) -> set[str]:
    """What a link may name after `#`: headings, as GitHub makes anchors of them."""
    anchors: set[str] = set()
    for _, line in prose_lines(text):
        if heading := re.match(r"#+ +(.+?) *$", line):
            words = re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "]", heading[1]).lower()).replace(" ", "-")
            number = 0
            while (anchor := f"{words}-{number}" if number else words) in anchors:
                number += 1
            anchors.add(anchor)
    return anchors


def python_files(text: str) -> set[str]:
    """Paths of Python files that are mentioned, in diagrams as well. A name in capitals stands for any file."""
    names = re.findall(r"(?<![\w./*<{-])[\w./-]*\w\.py\b", text)
    return {name for name in names if not re.search(r"[A-Z]", PurePosixPath(name).name)}


def types_of(text: str) -> set[str]:
    """Names between backticks that look like a class, and what is said to be in one: `Window`, `Window.size`."""
    codes = [code for code in inline_code(text) if re.fullmatch(r"[A-Z]+[a-z]\w*(\.\w+)*(\(\))?", code)]
    return {name for code in codes for name in code.removesuffix("()").split(".")}


def members_of(text: str) -> set[tuple[str, str]]:
    """(module, name) of what is said between backticks to be in a module: `topology.LOGINS`. Files are no members."""
    codes = [re.fullmatch(r"(?:\w+\.)*([a-z_]+)\.(\w+)(\(\))?", code) for code in inline_code(text)]
    return {(code[1], code[2]) for code in codes if code}


def variables(text: str) -> set[str]:
    """Names of environment variables of the workshop."""
    return set(re.findall(r"\bBOTTEGA_[A-Z_]*[A-Z]\b", text))


def commands_of(block: Block) -> list[str]:
    """Lines of a shell block, those that end with a backslash joined."""
    return [line for line in re.sub(r"\\\n\s*", " ", block.code).splitlines() if line.strip()]
