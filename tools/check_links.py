"""Check that what the Markdown pages refer to exists: links, headings, paths, Make targets and names in the code.

Pages of docs/ that code names must exist as well.

python -m tools.check_links
"""

from __future__ import annotations

import fnmatch
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent

ALLOWED: Final = {
    "docs/adding-an-application.md": (
        ("haiku", "the application that the page adds; a test follows the page"),
        ("DEMOS", "a name in the module of a demo"),
    ),
    "docs/troubleshooting.md": (("socksio", "a package of PyPI"),),
    "docs/decisions/0007-re-attaching-to-a-running-response.md": (
        ("resources/responses/responses.py", "a file of the openai package"),
        ("types/responses/", "a folder of the openai package"),
    ),
    "docs/decisions/0008-parity-with-dynamodb-local.md": (
        ("tests/dynamodb_local/target", "a folder that `make parity` fetches"),
    ),
    "docs/decisions/0012-the-web-adapter-as-it-is.md": (
        ("tests/web_adapter/target", "a folder that `make web-adapter` builds"),
        ("extensions/lambda-adapter", "a file of AWS's layer"),
        ("AWS_LWA_ERROR_STATUS_CODES", "a setting of AWS's adapter that was rejected"),
    ),
}
"""Page → references that it may contain although nothing in the repository has this name, with the reason."""

_FENCE: Final = re.compile(r"^(```+|~~~+).*?^\1\s*$", re.DOTALL | re.MULTILINE)
_LINK: Final = re.compile(r"\]\(<?([^)\s>]+)>?\)")
_CODE: Final = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_HEADING: Final = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.MULTILINE)
_MAKE: Final = re.compile(r"\bmake((?: (?:[a-z][\w-]*|[A-Z]\w*=\"[^\"]*\"|[A-Z]\w*=\S*))+)")
_COMMENT: Final = re.compile(r"(?<=\s)#.*")
_TARGET: Final = re.compile(r"^([a-z][\w-]*):", re.MULTILINE)
_PATH: Final = re.compile(r"[\w.*<>-]+(/[\w.*<> -]+)*/?")
_NAME: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(\(\))?")
_NAMED_PAGE: Final = re.compile(r"(?<![\w/])docs/[\w./-]+\.md\b")
_FILE_ENDINGS: Final = ("css", "js", "json", "lock", "md", "mjs", "py", "sh", "toml", "ts", "xml", "yaml", "yml")


@dataclass(frozen=True)
class Broken:
    """A reference to something that does not exist."""

    page: str
    line: int
    kind: str
    reference: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: there is no {self.kind} {self.reference}"


class Repository:
    """The files that Git tracks and ignores below `root`, and the names that the code uses."""

    def __init__(self, root: Path) -> None:
        self.root = root
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True)
        self.files = tuple(each for each in listed.stdout.split("\0") if each and (root / each).is_file())

    @cached_property
    def folders(self) -> frozenset[str]:
        """Every folder that holds a tracked file."""
        return frozenset(str(parent) for each in self.files for parent in Path(each).parents)

    @cached_property
    def top(self) -> frozenset[str]:
        """The names of files and folders at the top level."""
        return frozenset(each.split("/")[0] for each in self.files)

    @cached_property
    def targets(self) -> frozenset[str]:
        """The targets of the Makefile."""
        makefile = self.root / "Makefile"
        return frozenset(_TARGET.findall(makefile.read_text())) if makefile.exists() else frozenset()

    @cached_property
    def names(self) -> frozenset[str]:
        """Every word in every tracked file that is not a page, in lower case: settings are read in either case."""
        no_code = (".md", ".png", ".lock", "/check_links.py")
        code = (each for each in self.files if not each.endswith(no_code))
        texts = ((self.root / each).read_text(errors="ignore") for each in code)
        return frozenset(word.lower() for text in texts for word in re.findall(r"[A-Za-z_]\w*", text))

    @property
    def pages(self) -> tuple[str, ...]:
        return tuple(each for each in self.files if each.endswith(".md"))

    def has(self, path: str) -> bool:
        """Return whether Git tracks or ignores a file or folder at this path.

        `*` and `<…>` match any text. The ending may be missing, as in an import of JavaScript.
        """
        patterns = (_pattern(path), f"{_pattern(path)}.*")
        return self._ignores(path) or any(fnmatch.filter(self._paths, each) for each in patterns)

    def has_below(self, path: str) -> bool:
        """Return whether the path is that of a file or folder, or the end of one."""
        return self.has(path) or bool(fnmatch.filter(self._paths, f"*/{_pattern(path)}"))

    @cached_property
    def _paths(self) -> tuple[str, ...]:
        return (*self.files, *self.folders)

    def _ignores(self, path: str) -> bool:
        command = ["git", "check-ignore", "--quiet", "--no-index", path]
        return subprocess.run(command, cwd=self.root, check=False).returncode == 0


def _pattern(path: str) -> str:
    return re.sub(r"<[^>]*>", "*", path.rstrip("/"))


def broken(repository: Repository, page: str) -> Iterator[Broken]:
    """Yield every broken reference of a page."""
    text = (repository.root / page).read_text()
    prose = _FENCE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    allowed = tuple(part for part, _ in ALLOWED.get(page, ()))
    for kind, reference, start in (
        *_links(repository, page, prose),
        *_code(repository, prose, text),
        *_makes(repository, text),
    ):
        if not any(part in reference for part in allowed):
            yield Broken(page, text.count("\n", 0, start) + 1, kind, reference)


_Found = tuple[str, str, int]


def _links(repository: Repository, page: str, prose: str) -> Iterator[_Found]:
    for found in _LINK.finditer(prose):
        target, _, heading = found[1].partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        file = (repository.root / page).parent / target if target else repository.root / page
        if not file.exists():
            yield "file", found[1], found.start()
        elif heading and heading not in headings(file.read_text()):
            yield "heading", found[1], found.start()


def _code(repository: Repository, prose: str, text: str) -> Iterator[_Found]:
    in_fences = {word.lower() for fence in _FENCE.finditer(text) for word in re.findall(r"[A-Za-z_]\w*", fence[0])}
    for found in _CODE.finditer(prose):
        reference = " ".join(found[1].split())
        if _is_path(repository, reference):
            if not (repository.has if reference.split("/")[0] in repository.top else repository.has_below)(reference):
                yield "path", reference, found.start()
        elif _NAME.fullmatch(reference):
            parts = reference.removesuffix("()").lower().split(".")
            if not all(part in repository.names or part in in_fences for part in parts):
                yield "name", reference, found.start()


def _is_path(repository: Repository, reference: str) -> bool:
    """A path names a file by its ending or begins with a folder of the top level; `GET /jobs` and `a / b` are none."""
    if not _PATH.fullmatch(reference) or " / " in reference:
        return False
    first, _, rest = reference.partition("/")
    return any(reference.endswith(f".{ending}") for ending in _FILE_ENDINGS) or (bool(rest) and first in repository.top)


def _makes(repository: Repository, text: str) -> Iterator[_Found]:
    places = [(found.start(1), found[1]) for found in _CODE.finditer(text)]
    places += [(found.start(), found[0]) for found in _FENCE.finditer(text)]
    for start, code in places:
        for found in _MAKE.finditer(_COMMENT.sub(lambda comment: " " * len(comment[0]), code)):
            for word in re.sub(r"\S+=(\"[^\"]*\"|\S*)", "", found[1]).split():
                if word not in repository.targets:
                    yield "Make target", word, start + found.start()


def pages_named_in_code(repository: Repository) -> Iterator[Broken]:
    """Yield every page of docs/ that a file other than a page names, and that does not exist."""
    for file in repository.files:
        if file.endswith((".md", ".png")) or "test_check_" in file:
            continue
        text = (repository.root / file).read_text(errors="ignore")
        for found in _NAMED_PAGE.finditer(text):
            if found[0] not in repository.files:
                yield Broken(file, text.count("\n", 0, found.start()) + 1, "page", found[0])


def headings(text: str) -> frozenset[str]:
    """Return the anchors that GitHub gives to a page's headings."""
    return frozenset(
        re.sub(r"[^\w\- ]", "", found.lower()).replace(" ", "-") for found in _HEADING.findall(_FENCE.sub("", text))
    )


def main(root: Path = ROOT) -> int:
    """Print every broken reference; return 1 when there is one."""
    repository = Repository(root)
    found = [each for page in repository.pages for each in broken(repository, page)]
    found += pages_named_in_code(repository)
    for each in found:
        print(each)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
