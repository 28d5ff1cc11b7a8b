# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Numbers as they stand in sentences."""

from odoo.tools import get_lang
from odoo.tools.misc import babel_locale_parse


def format_number(env, value, form="%d"):
    """Return a number in the language of the sentence that it stands in.

    Unlike Odoo's ``formatLang`` it is English where the environment has no language, as
    texts are then, whatever the company's.

    :param str form: as for ``%``
    """
    lang = env["res.lang"].browse(_language(env).id)
    # Odoo would set a separator between an exponent's digits, too.
    return lang.format(form, value, grouping="e" not in form % value)


def plural(env, count, one, many, form="%d", **values):
    """Return the sentence that a number takes in its language.

    Odoo's terms have no plural forms, so each is a term of its own. Both have the
    number in it: some languages say 0 or 21 as they say 1.

    :param count: put in as ``%(count)s``
    :param str one: the term for 1, with its placeholders
    :param str many: the term for 2
    :param str form: see :func:`format_number`
    :param values: what else is put in
    """
    rule = babel_locale_parse(_language(env).code).plural_form
    term = one if rule(count) == "one" else many
    return term % {**values, "count": format_number(env, count, form)}


def _language(env):
    return get_lang(env, env.lang or "en_US")
