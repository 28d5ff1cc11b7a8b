# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Numbers as they stand in sentences."""

from odoo.tools import get_lang


def format_number(env, value, form="%d"):
    """Return a number in the language of the sentence that it stands in.

    Unlike Odoo's ``formatLang`` it is English where the environment has no language, as
    texts are then, whatever the company's.

    :param str form: as for ``%``
    """
    lang = env["res.lang"].browse(get_lang(env, env.lang or "en_US").id)
    # Odoo would set a separator between an exponent's digits, too.
    return lang.format(form, value, grouping="e" not in form % value)
