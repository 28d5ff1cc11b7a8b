"""The pages that people read: their links, and what they tell people to run.

python -m tests.support.pages      # say which links lead nowhere
"""

import dataclasses
import re
import sys
import textwrap

from .environment import ROOT

ADDONS = ("mass_mailing_queue", "mass_mailing_queue_throttle")
FENCE = re.compile(r"^([ ]*)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINKS = {
    ".md": re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)"),
    ".rst": re.compile(r"`[^`<]*<([^>\s]+)>`__?"),
    ".html": re.compile(r"href=\"([^\"]+)\""),
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
    text: str

    @property
    def title(self):
        """The comment in its first line."""
        return self.text.partition("\n")[0].removeprefix("-- ")

    def __str__(self):
        return f"{self.page}:{self.line}"


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


def blocks(language):
    """The fragments' fenced blocks of one language."""
    found = []
    for path in fragments():
        text = path.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            if match[2] == language:
                line = text.count("\n", 0, match.start()) + 2
                page = str(path.relative_to(ROOT))
                found.append(Block(page, line, textwrap.dedent(match[3])))
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
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
