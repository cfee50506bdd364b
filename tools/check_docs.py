"""Check what no other tool reads: the documents, and what no committed file may name.

`make lint` runs it. Links between documents must lead somewhere, every page must be reachable from
``docs/index.md``, every dependency must say why it is there, decision records must be complete, and no
file may name a package index or a path of one particular machine. It reads files and changes nothing.
"""

import re
import subprocess
import sys
import tomllib
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

ADR_HEADINGS = ["Context", "Options", "Decision", "Consequences"]

_FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_INLINE_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)|<(?:img|source)\b[^>]*\bsrc(?:set)?=\"([^\"]+)\"")
_HEADING = re.compile(r"^(#{1,6}) +(.+?) *#*$", re.MULTILINE)
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# The brackets keep these patterns from finding themselves.
_NOT_TO_BE_NAMED = {
    "a package index": re.compile(r"pypi[.]org|pythonhosted[.]org|npmjs[.]org|proxy[.]golang[.]org"),
    "a path of one machine": re.compile(r"(?<![\w.])/work[/]"),
}


def committed_files(root: Path) -> list[Path]:
    """Every file that is, or could be, committed: what git tracks, and what it neither tracks nor ignores."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return sorted(root / name for name in listing.split("\0") if name and (root / name).is_file())


def links(page: Path) -> Iterator[str]:
    """The targets of a page's links, images included; code samples are not links."""
    text = _INLINE_CODE.sub("", _FENCED.sub("", page.read_text(encoding="utf-8")))
    for found in _LINK.finditer(text):
        yield found[1] or found[2]


def anchors(page: Path) -> set[str]:
    """The fragments that a page's headings can be linked by, as forges make them."""
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    found: set[str] = set()
    for _, heading in _HEADING.findall(text):
        words = unicodedata.normalize("NFC", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        repeats = 0
        while (candidate := f"{slug}-{repeats}" if repeats else slug) in found:
            repeats += 1
        found.add(candidate)
    return found


def local_links(page: Path) -> Iterator[tuple[str, Path, str]]:
    """Each link of a page that stays in the repository: as written, the file it names, the fragment."""
    for target in links(page):
        if not re.match(r"[a-z][a-z0-9+.-]*:", target, re.IGNORECASE):
            path, _, fragment = target.partition("#")
            yield target, (page.parent / unquote(path)).resolve() if path else page, fragment


def link_problems(root: Path, pages: list[Path]) -> Iterator[str]:
    """A link that leads to no file, or to no heading of a page."""
    for page in pages:
        for target, file, fragment in local_links(page):
            if not file.exists():
                yield f"{page.relative_to(root)}: the link {target} leads to no file"
            elif fragment and file.suffix == ".md" and fragment not in anchors(file):
                yield f"{page.relative_to(root)}: the link {target} leads to no heading of that page"


def orphan_problems(root: Path, pages: list[Path]) -> Iterator[str]:
    """A page under ``docs/`` that no path of links from ``docs/index.md`` leads to."""
    reached: set[Path] = set()
    waiting = {root / "docs" / "index.md"}
    while waiting:
        page = waiting.pop()
        reached.add(page)
        if page in pages:
            waiting |= {file for _, file, _ in local_links(page)} - reached
    for page in pages:
        if root / "docs" in page.parents and page not in reached:
            yield f"{page.relative_to(root)}: no path of links leads here from docs/index.md"


def dependency_problems(root: Path) -> Iterator[str]:
    """A dependency without its reason in ``docs/dependencies.md``, and a reason without its dependency."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    requirements: list[str | dict[str, str]] = [
        *project["build-system"]["requires"],
        *project["project"].get("dependencies", []),
        *(one for extra in project["project"].get("optional-dependencies", {}).values() for one in extra),
        *(one for group in project.get("dependency-groups", {}).values() for one in group),
    ]
    declared = {
        found[0].lower().replace("_", "-")
        for one in requirements
        if isinstance(one, str) and (found := _REQUIREMENT.match(one))
    }
    text = (root / "docs" / "dependencies.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `([a-z0-9-]+)` \| \S", text, re.MULTILINE))
    for name in sorted(declared - explained):
        yield f"docs/dependencies.md: no line says why {name} and not another"
    for name in sorted(explained - declared):
        yield f"docs/dependencies.md: {name} is explained, but pyproject.toml does not ask for it"


def adr_problems(root: Path) -> Iterator[str]:
    """A decision record out of sequence, or without one of its four parts in order."""
    records = sorted((root / "docs" / "adr").glob("*.md"))
    for number, record in enumerate(records, start=1):
        if not re.fullmatch(rf"{number:04d}-[a-z0-9-]+\.md", record.name):
            yield f"docs/adr/{record.name}: expected a name that begins with {number:04d}-"
        headings = _HEADING.findall(record.read_text(encoding="utf-8"))
        if [text for level, text in headings if level == "##"] != ADR_HEADINGS:
            yield f"docs/adr/{record.name}: second-level headings must be {', '.join(ADR_HEADINGS)}"


def naming_problems(root: Path, files: list[Path]) -> Iterator[str]:
    """A committed text file that names a package index or a path of one machine."""
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # not text
        for number, line in enumerate(lines, start=1):
            for what, pattern in _NOT_TO_BE_NAMED.items():
                if pattern.search(line):
                    yield f"{file.relative_to(root)}:{number}: names {what}"


def problems(root: Path) -> list[str]:
    """Everything that is wrong, one sentence each."""
    files = committed_files(root)
    pages = [file for file in files if file.suffix == ".md"]
    return [
        *link_problems(root, pages),
        *orphan_problems(root, pages),
        *dependency_problems(root),
        *adr_problems(root),
        *naming_problems(root, files),
    ]


def main() -> int:
    """Print the problems; 1 if there are any."""
    found = problems(Path(__file__).resolve().parent.parent)
    for problem in found:
        print(problem)
    print(
        f"Documents: {len(found)} problems."
        if found
        else "Documents: links, reasons and records are in order."
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
