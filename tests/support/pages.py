"""The pages that people read: their links, and what they tell people to run.

python -m tests.support.pages   # say which links lead nowhere, and what is not run
"""

import dataclasses
import re
import sys
import textwrap

from .environment import ROOT

ADDONS = ("mass_mailing_queue", "mass_mailing_queue_throttle")
FENCE = re.compile(r"^([ ]*)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINKS = {
    ".md": re.compile(r"\[[^\]]*\]\(([^)\s]+)\)"),
    ".rst": re.compile(r"(?:`[^`<]*<(?=[^>\s]+>`_)|(?:image|figure):: )([^>\s]+)"),
    ".html": re.compile(r"(?:href|src)=\"([^\"]+)\""),
}
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Block:
    """What a page tells people to paste.

    :param page: its path
    :param line: where it begins
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def title(self):
        """The comment in its first line."""
        return self.text.partition("\n")[0].removeprefix("-- ")

    def __str__(self):
        return f"{self.page}:{self.line}"


#: Who runs a command that pages tell people to run, by how it begins.
COMMANDS = {
    "pip install ./mass_mailing_queue ": "test_wheels.py",
    "pip install requests openupgradelib": "test_wheels.py",
    "odoo -c odoo.conf -i ": "test_wheels.py",
    "odoo -c odoo.conf -d database -u ": "test_migration.py",
    "odoo -c odoo.conf": "test_wheels.py",
    "odoo module uninstall ": "test_uninstall.py",
    "odoo neutralize ": "test_copies.py",
    "grep ": "test_documentation.py",
    "build/environment/venv/bin/python -m ": "test_documentation.py",
}
#: Who runs the blocks of a language: `test_advice.py` has Odoo start with each `ini`.
LANGUAGES = {
    "ini": "test_advice.py",
    **dict.fromkeys(("cfg", "sql", "yaml"), "test_documentation.py"),
}


def unknown_blocks():
    """Blocks, and lines of commands, that no test runs.

    :return: list of (block, text)
    """
    unknown = []
    for block in blocks():
        if block.language == "console":
            lines = block.text.splitlines()
            unknown += [
                (block, line) for line in lines if not line.startswith(tuple(COMMANDS))
            ]
        elif block.language not in LANGUAGES:
            unknown.append((block, block.language))
    return unknown


def fragments():
    """The pages that people write."""
    return sorted(
        path for addon in ADDONS for path in (ROOT / addon / "readme").glob("*.md")
    )


def pages():
    """All pages, with those that are made of fragments."""
    made = [
        ROOT / addon / name
        for addon in ADDONS
        for name in ("README.rst", "static/description/index.html")
    ]
    return [ROOT / "README.rst", ROOT / "CONTRIBUTING.md", *made, *fragments()]


def blocks(language=None):
    """The fenced blocks of one language, or of all, in what people write."""
    found = []
    for path in [*fragments(), ROOT / "CONTRIBUTING.md"]:
        text = path.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            if language in (None, match[2]):
                line = text.count("\n", 0, match.start()) + 2
                page = str(path.relative_to(ROOT))
                found.append(Block(page, line, match[2], textwrap.dedent(match[3])))
    return found


def links(path):
    """Where a page's relative links lead: (path or nothing, anchor or nothing)."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        text = FENCE.sub("", text)
    for target in LINKS[path.suffix].findall(text):
        if not re.match(r"[a-z]+:", target):
            place, _hash, anchor = target.partition("#")
            yield place, anchor


def anchors(path):
    """What can stand behind the # in a link to a page, as GitHub makes it."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        return set(re.findall(r"\bid=\"([^\"]+)\"", text))
    headings = HEADING.findall(FENCE.sub("", text))
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


def broken_links(path):
    """Relative links of a page that lead nowhere: to no file, or to no anchor of it."""
    broken = []
    for place, anchor in links(path):
        target = (path.parent / place).resolve() if place else path
        if not (target.is_relative_to(ROOT) and target.exists()):
            broken.append(place)
        elif anchor and anchor not in anchors(target):
            broken.append(f"{place}#{anchor}")
    return broken


def main():
    found = [(path, link) for path in pages() for link in broken_links(path)]
    for path, link in found:
        print(f"{path.relative_to(ROOT)}: {link} leads nowhere")
    unknown = unknown_blocks()
    for block, text in unknown:
        print(f"{block}: no test runs {text!r}")
    return 1 if found or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
