"""Name what nothing uses: functions, classes, variables that are written once only.

vulture finds what no Python refers to. Odoo refers by name, too, from XML, JavaScript
and SQL: what stands a second time in any file of the repository is used.
"""

import re
import sys
from collections import Counter
from pathlib import Path

from vulture import Vulture

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("mass_mailing_queue", "mass_mailing_queue_throttle", "setup", "tests")
SUFFIXES = {".cfg", ".cjs", ".csv", ".ini", ".js", ".py", ".toml", ".xml", ".yaml"}
WORD = re.compile(r"\w+")

#: Called by name: by Odoo, unittest, pytest, http.server, aiosmtpd.
NAMES = """
    init has_http_case allow_inherited_tests_method setUp* tearDown* test_* pytest_*
    do_GET handle_* mechanism line_length_limit _job_store_values
""".split()
#: Ours begin so; other private names may be overrides of Odoo's.
PRIVATE = ("_queue_", "_job_")
KINDS = {"function", "method", "class", "variable", "property"}


def main():
    paths = [
        path
        for path in ROOT.rglob("*")
        if path.suffix in SUFFIXES
        and path.relative_to(ROOT).parts[0] != "build"
        and "node_modules" not in path.parts
    ]
    words = Counter()
    for path in paths:
        words.update(WORD.findall(path.read_text(encoding="utf-8")))
    # What is decorated is registered somewhere.
    vulture = Vulture(ignore_names=NAMES, ignore_decorators=["@*"])
    vulture.scavenge([str(ROOT / folder) for folder in FOLDERS])
    dead = [
        found
        for found in vulture.get_unused_code(min_confidence=60)
        if found.typ in KINDS and words[found.name] < 2 and is_known_by_name(found)
    ]
    for found in dead:
        print(f"{found.filename}:{found.first_lineno}: nothing uses {found.name}")
    return 1 if dead else 0


def is_known_by_name(found):
    """Whether who uses it must name it: nobody names the class of a model."""
    if found.typ == "class":
        return not {"models", "wizards"} & set(Path(found.filename).parts)
    return found.name.startswith(PRIVATE) or not found.name.startswith("_")


if __name__ == "__main__":
    sys.exit(main())
