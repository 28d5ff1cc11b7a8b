"""Texts are exported, and there in each language."""

import re

import polib
import pytest

from .translations import ADDONS, LANGUAGES, current, language, template

#: What a translation must keep: placeholders, tags, entities.
KEPT = re.compile(r"%(?:\(\w+\))?[sd%]|</?\w+[^>]*>|&\w+;|\{\{.*?\}\}")


def texts(path):
    return polib.pofile(str(path))


@pytest.fixture(scope="module")
def exported(module_scope):
    return current(module_scope)


@pytest.mark.parametrize("addon", ADDONS)
def test_the_template_is_current(exported, addon):
    """Every text that Odoo finds, and no other: `python -m tests.translations`."""
    assert template(addon).read_text() == exported[addon]


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("addon", ADDONS)
def test_a_language_is_complete(addon, code):
    """Each text is translated, and no text is that is gone."""
    translated = texts(language(addon, code))
    assert translated.metadata["Language"] == code
    assert not translated.untranslated_entries()
    assert not translated.fuzzy_entries()
    assert not translated.obsolete_entries()
    wanted = texts(template(addon))
    assert {one.msgid for one in translated} == {one.msgid for one in wanted}


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("addon", ADDONS)
def test_a_translation_keeps_what_is_filled_in(addon, code):
    """The same placeholders and tags: another one is an error where it is shown."""
    for entry in texts(language(addon, code)):
        assert sorted(KEPT.findall(entry.msgstr)) == sorted(
            KEPT.findall(entry.msgid)
        ), entry.msgid


def test_what_is_kept():
    assert KEPT.findall("%(a)s of 5 %% <b>x</b> &nbsp; %s") == [
        "%(a)s", "%%", "<b>", "</b>", "&nbsp;", "%s"
    ]  # fmt: skip
