"""The hazards that `mass_mailing_queue/readme/HAZARDS.md` lists, and tests' codes."""

import ast
import dataclasses
import re

from .environment import ROOT

PAGE = ROOT / "mass_mailing_queue" / "readme" / "HAZARDS.md"
CODE = re.compile(r"\bH\d+\b")
ITEM = re.compile(
    r"^- \*\*(H\d+)\*\*(★?) (.+?)(?=^- |^##|\Z)", re.MULTILINE | re.DOTALL
)


@dataclasses.dataclass(frozen=True)
class Hazard:
    """One hazard of the page.

    :param shown: whether it is shown to happen on an Odoo without our addons
    :param natively: what goes wrong there
    :param here: what we do instead
    :param tests: names of the tests that show that
    """

    code: str
    shown: bool
    natively: str
    here: str
    tests: tuple


def hazards():
    """The page's hazards, by code."""
    found = {}
    for code, star, text in ITEM.findall(PAGE.read_text(encoding="utf-8")):
        text = " ".join(text.split())
        natively, _here, rest = text.partition(" _Here:_ ")
        here, _shown, tests = rest.partition(" Shown by ")
        found[code] = Hazard(
            code, bool(star), natively, here, tuple(re.findall(r"`(\w+)`", tests))
        )
    return found


def named():
    """The codes that each test names, in its own name or in its docstring."""
    found = {}
    for folder in ("tests", "mass_mailing_queue/tests"):
        for path in sorted((ROOT / folder).glob("test_*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    codes = {part.upper() for part in node.name.split("_")}
                    words = " ".join([*codes, ast.get_docstring(node) or ""])
                    found.setdefault(node.name, set()).update(CODE.findall(words))
    return found
