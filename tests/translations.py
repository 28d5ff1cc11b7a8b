"""Write the texts that there are to translate into each addon's `i18n/*.pot`.

    python -m tests.translations

Files of languages follow: texts that are new are empty in them, those that are gone are
left out.
"""

import re

import polib

from . import throttling
from .support.environment import ROOT
from .support.workspace import Workspace

ADDONS = ("mass_mailing_queue", "mass_mailing_queue_throttle")
LANGUAGES = ("de", "es", "fr")
#: When somebody ran this says nothing, and differs each time.
DATES = re.compile(r'^"(POT-Creation|PO-Revision)-Date: .*\n', re.MULTILINE)


def template(addon):
    """The file with an addon's texts."""
    return ROOT / addon / "i18n" / f"{addon}.pot"


def language(addon, code):
    """The file with an addon's texts in a language."""
    return ROOT / addon / "i18n" / f"{code}.po"


def export(env, step, addon):
    """The texts of an addon as Odoo exports them."""
    import io

    from odoo.tools.translate import trans_export

    buffer = io.BytesIO()
    trans_export(None, [addon], buffer, "po", env)
    return buffer.getvalue().decode()


def current(scope):
    """The content that each addon's template should have.

    :return: dict of addon → text
    """
    shell = scope.shell(scope.database(throttling.MODULES))
    return {addon: DATES.sub("", shell.run(export, addon=addon)) for addon in ADDONS}


def main():
    with Workspace(ROOT / "build" / "tests") as workspace, workspace.scope() as scope:
        for addon, text in current(scope).items():
            template(addon).write_text(text)
            for code in LANGUAGES:
                path = language(addon, code)
                if path.exists():
                    translated = polib.pofile(path, wrapwidth=78)
                    translated.merge(polib.pofile(text))
                    for entry in translated.obsolete_entries():
                        translated.remove(entry)
                    translated.save()


if __name__ == "__main__":
    main()
