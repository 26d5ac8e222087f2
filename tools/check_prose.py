"""Check the prose of every tracked file: warn on words that have a plainer one, fail on feature-row ids.

python -m tools.check_prose                    every tracked file
python -m tools.check_prose docs shared/log    these files and folders only
python -m tools.check_prose --strict           fail on a warning as well

Prose is: docstrings, comments, the messages of `raise`, the names of tests, Markdown outside code, and all of a YAML,
TOML, JavaScript, CSS, HTML or shell file.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tokenize
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent

PLAINER: Final = {
    "whoever": "name the actor: the client, the watcher, the attempt, the owner",
    "nobody's": "name the actor, or say `no client's`, `no attempt's`",
    "anew": "again",
    "stands": "is valid, is kept, is written, is",
    "goes on": "resumes, continues",
    "of its own": "its own …, separate",
    "so many": "the number, that many",
    "for good": "permanently",
    "in place of": "instead of",
}
"""Each word of the list, and what to write instead."""

ALLOWED: Final[dict[tuple[str, str], str]] = {
    ("docs/glossary.md", "stands"): "its last column lists words not to write",
}
"""A file and a word that it may use, and the reason."""

_GAP: Final = r"(?:\s|[#*]|//)+"  # between two words of a phrase: a line break inside a comment included
_ROW_ID: Final = re.compile(r"\brows?\s+[A-Z]\d{1,2}\b|\([A-H]\d{1,2}(?:,\s*[A-H]\d{1,2})*\)", re.IGNORECASE)
_CODE: Final = re.compile(
    r"^(?P<fence>```+|~~~+).*?^(?P=fence)\s*$|(?P<tick>`+)[^`].*?(?P=tick)", re.DOTALL | re.MULTILINE
)
_NOT_A_STATEMENT: Final = frozenset(
    {tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}
)
_TEXT_TOKENS: Final = frozenset({tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)})


@dataclass(frozen=True)
class Finding:
    """One place in a file; `fatal` ones fail the check without `--strict` as well."""

    path: str
    line: int
    words: str
    instead: str
    fatal: bool = False

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: “{self.words}” → {self.instead}"


def _pattern(word: str) -> re.Pattern[str]:
    words = (re.escape(part).replace("'", r"['\u2019 ]?") for part in word.split())
    return re.compile(rf"\b{_GAP.join(words)}\b", re.IGNORECASE)


_PATTERNS: Final = {word: _pattern(word) for word in PLAINER}


def findings(path: str, source: str) -> Iterator[Finding]:
    """Yield each word of the list and each feature-row id in the prose of a file, in the order of the list."""
    prose = prose_of(path, source)
    starts = [0, *(found.end() for found in re.finditer("\n", source))]
    for word, pattern in _PATTERNS.items():
        if (path, word) not in ALLOWED:
            for found in pattern.finditer(prose):
                yield Finding(path, bisect_right(starts, found.start()), word, PLAINER[word])
    for found in _ROW_ID.finditer(prose):
        instead = "leave it out: a reader does not have that list"
        yield Finding(path, bisect_right(starts, found.start()), found[0], instead, fatal=True)


def prose_of(path: str, source: str) -> str:
    """Return the source with everything that is no prose blanked out, so that positions stay the same."""
    return _READERS.get(Path(path).suffix, str)(source)


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def _markdown(source: str) -> str:
    return _CODE.sub(lambda found: _blank(found[0]), source)


def _python(source: str) -> str:
    starts = [0, *(found.end() for found in re.finditer("\n", source))]
    prose = list(_blank(source))
    for token in _prose_tokens(source):
        first = starts[token.start[0] - 1] + token.start[1]
        last = starts[token.end[0] - 1] + token.end[1]
        text = source[first:last]
        prose[first:last] = text.replace("_", " ") if token.type == tokenize.NAME else text
    return "".join(prose)


def _prose_tokens(source: str) -> Iterator[tokenize.TokenInfo]:
    statement: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token
        elif token.type == tokenize.NEWLINE:
            yield from _prose_of_statement(statement)
            statement = []
        elif token.type not in _NOT_A_STATEMENT:
            statement.append(token)


def _prose_of_statement(tokens: Sequence[tokenize.TokenInfo]) -> Iterator[tokenize.TokenInfo]:
    texts = [token for token in tokens if token.type in _TEXT_TOKENS]
    names = [token for token in tokens if token.type == tokenize.NAME]
    if len(texts) == len(tokens) or (tokens and tokens[0].string == "raise"):
        yield from texts
    elif len(names) > 1 and "def" in {names[0].string, names[1].string}:
        yield from (name for name in names[1:3] if name.string.startswith("test_"))


_READERS: Final[dict[str, Callable[[str], str]]] = {".py": _python, ".md": _markdown}
_SUFFIXES: Final = frozenset({
    ".css", ".html", ".js", ".md", ".mjs", ".py", ".sh", ".toml", ".ts", ".yaml", ".yml",
})  # fmt: skip
_NAMES: Final = frozenset({"Makefile", "run", "CODEOWNERS"})
_OF_OTHERS: Final = "functions/console/static/vendor/"


def tracked(paths: Sequence[str], root: Path = ROOT) -> list[str]:
    """Return the files below these paths that Git tracks and that have prose of ours; no paths: all of them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *paths], cwd=root, check=True, capture_output=True, text=True
    )
    names = (each for each in listed.stdout.split("\0") if each and not each.startswith(_OF_OTHERS))
    files = [each for each in names if (root / each).is_file()]
    return [each for each in files if Path(each).suffix in _SUFFIXES or Path(each).name in _NAMES]


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Print what was found; return 1 when it fails the check."""
    parser = argparse.ArgumentParser(prog="python -m tools.check_prose", description=__doc__)
    parser.add_argument("paths", nargs="*", help="files and folders; all tracked files when there are none")
    parser.add_argument("--strict", action="store_true", help="fail on a warning as well")
    options = parser.parse_args(arguments)
    found = [each for path in tracked(options.paths, root) for each in findings(path, (root / path).read_text())]
    for each in sorted(found, key=lambda finding: (finding.path, finding.line)):
        print(each)
    failed = [each for each in found if each.fatal or options.strict]
    if found:
        print(f"prose: {len(found)} found, {len(failed)} of them fail the check (CONTRIBUTING.md, “How we write”)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
