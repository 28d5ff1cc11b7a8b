"""Write README.rst and static/description/index.html of addons, in OCA's layout.

The sources are an addon's manifest and its fragments `readme/<NAME>.md`, whose headings
start at the second level. Arguments are addons or files in them; the exit status is 1
when a file was changed. The same sources always give the same two files.
"""

import ast
import re
import sys
from pathlib import Path

import pypandoc
from docutils.core import publish_string

# Without raw HTML, and without link targets that nothing refers to.
MARKDOWN = "gfm-raw_html-gfm_auto_identifiers"
SECTIONS = {
    "CONTEXT": "Use Cases / Context",
    "INSTALL": "Installation",
    "CONFIGURE": "Configuration",
    "USAGE": "Usage",
    "DEVELOP": "Development",
    "ROADMAP": "Known issues / Roadmap",
    "HISTORY": "Changelog",
}
CREDITS = {"CONTRIBUTORS": "Contributors", "CREDITS": "Other credits"}
COLORS = {
    "Alpha": "red",
    "Beta": "yellow",
    "Production/Stable": "green",
    "Mature": "brightgreen",
}
OCA = "Odoo Community Association (OCA)"
NOTICE = """.. Generated from readme/ and __manifest__.py: edits here are lost.
   The layout is that of oca-gen-addon-readme."""
ALPHA = """.. IMPORTANT::
   This is an alpha version, the data model and design can change at any time without
   warning. Only for development or testing purpose, do not use in production."""
MAINTAINED_BY_OCA = """This module is maintained by the OCA.

.. image:: https://odoo-community.org/logo.png
   :alt: Odoo Community Association
   :target: https://odoo-community.org"""
HTML_SETTINGS = {
    "_disable_config": True,
    "file_insertion_enabled": False,
    "halt_level": 2,  # a warning is a fault of the fragments
    "output_encoding": "unicode",
    "raw_enabled": False,
    "syntax_highlight": "short",
    "xml_declaration": False,
}


def heading(text, underline="="):
    return f"{text}\n{underline * len(text)}"


def badge(name, value, color, target):
    """Return the definition of the substitution `name`, a picture that links."""
    text = value.replace("-", "--").replace("/", "%2F")
    return (
        f".. |{name}| image:: https://img.shields.io/badge/{name}-{text}-{color}.png\n"
        f"    :target: {target}\n    :alt: {name.capitalize()}: {value}"
    )


def fragment(addon, name, level=2):
    """Return a fragment, its headings from `level`, its paths from the addon."""
    path = addon / "readme" / f"{name}.md"
    if not path.exists():
        return ""
    shift = [f"--shift-heading-level-by={level - 2}", "--columns=79"]
    text = pypandoc.convert_file(path, "rst", MARKDOWN, extra_args=shift, sandbox=True)
    if level == 2 and re.search(r"^=+$", text, re.MULTILINE):
        sys.exit(f"{path}: headings start at the second level (##).")
    text = re.sub(r"((?:image|figure):: )(?:\.\./)+", r"\1", text)
    # Pages that are no fragments lie beside them, the code one folder up.
    text = re.sub(r"<(\w+\.md(?:#[\w-]+)?)>", r"<readme/\1>", text)
    return re.sub(r"<\.\./([\w/]+\.py)>", r"<\1>", text).strip()


def sections(addon, titles, underline, level):
    for name, text in titles.items():
        if body := fragment(addon, name, level):
            yield heading(text, underline)
            yield body


def render_rst(addon):
    manifest = ast.literal_eval((addon / "__manifest__.py").read_text(encoding="utf-8"))
    name, website = manifest["name"], manifest["website"].rstrip("/")
    status = manifest.get("development_status", "Beta")
    license_ = manifest["license"]
    project = "/".join(website.split("/")[-2:])
    source = f"{website}/tree/{manifest['version'][:4]}/{addon.name}"
    status_page = "https://odoo-community.org/page/development-status"
    license_page = f"http://www.gnu.org/licenses/{license_.lower()}.0-standalone.html"
    authors = [author.strip() for author in manifest["author"].split(",")]
    others = "\n".join(f"- {author}" for author in authors if author != OCA)
    maintainers = ", ".join(manifest.get("maintainers", []))
    parts = [
        "=" * len(name) + "\n" + heading(name),
        NOTICE,
        badge("maturity", status, COLORS[status], status_page),
        badge("license", license_, "blue", license_page),
        badge("github", project, "lightgray", source),
        "|maturity| |license| |github|",
        fragment(addon, "DESCRIPTION", level=1),
        ALPHA if status == "Alpha" else "",
        "**Table of contents**\n\n.. contents::\n   :local:",
        *sections(addon, SECTIONS, "=", level=2),
        heading("Bug Tracker"),
        f"Bugs are tracked on `GitHub Issues <{website}/issues>`_. In case of\n"
        "trouble, please check there if your issue has already been reported.",
        heading("Credits"),
        heading("Authors", "-") if others else "",
        others,
        *sections(addon, CREDITS, "-", level=3),
        heading("Maintainers", "-"),
        MAINTAINED_BY_OCA if OCA in authors else "",
        f"Current maintainers: {maintainers}" if maintainers else "",
        f"This module is part of the `{project} <{source}>`_ project on GitHub.",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def render_html(rst):
    html = publish_string(rst, writer="html4css1", settings_overrides=HTML_SETTINGS)
    html = re.sub(r'(<meta name="generator" content="Docutils)[^"]*', r"\1", html)
    # Pictures lie in the page's own folder, static/description, other pages do not.
    html = html.replace('src="static/description/', 'src="')
    return re.sub(r'href="(readme/|[\w/]+\.py")', r'href="../../\1', html)


def main(arguments):
    changed = 0
    for addon in sorted({Path(Path(argument).parts[0]) for argument in arguments}):
        if not (addon / "readme/DESCRIPTION.md").exists():
            continue
        rst = render_rst(addon)
        files = {"README.rst": rst, "static/description/index.html": render_html(rst)}
        for path, text in ((addon / name, text) for name, text in files.items()):
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
                print(f"wrote {path}")
                changed = 1
    return changed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
