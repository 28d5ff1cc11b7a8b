"""Write README.rst and static/description/index.html of addons, in OCA's layout.

The sources are an addon's manifest and its fragments `readme/<NAME>.md`, whose headings
start at the second level. Arguments are addons or files in them; the exit status is 1
when a file was changed, and the same sources always give the same two files.
"""

import ast
import re
import sys
from pathlib import Path

import pypandoc
from docutils.core import publish_string

# Without raw HTML, and without the link targets that nothing would refer to.
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
STATUS_COLORS = {
    "Alpha": "red",
    "Beta": "yellow",
    "Production/Stable": "green",
    "Mature": "brightgreen",
}
OCA = "Odoo Community Association (OCA)"
NOTICE = """\
..
   This file is generated from readme/ and __manifest__.py: edits here are lost.
   Its layout is that of oca-gen-addon-readme.
"""
ALPHA = """\
.. IMPORTANT::
   This is an alpha version, the data model and design can change at any time without
   warning. Only for development or testing purpose, do not use in production.
"""
MAINTAINED_BY_OCA = """\
This module is maintained by the OCA.

.. image:: https://odoo-community.org/logo.png
   :alt: Odoo Community Association
   :target: https://odoo-community.org

OCA, or the Odoo Community Association, is a nonprofit organization whose mission is to
support the collaborative development of Odoo features and promote its widespread use.
"""
HTML_SETTINGS = {
    "_disable_config": True,
    "file_insertion_enabled": False,
    "halt_level": 2,  # a warning is a fault of the fragments
    "output_encoding": "unicode",
    "raw_enabled": False,
    "syntax_highlight": "short",
    "xml_declaration": False,
}


def title(text, underline="="):
    return f"{text}\n{underline * len(text)}\n"


def badge(index, label, value, color, target):
    """Return a substitution named `badge<index>`, a picture that links to `target`."""
    text = "-".join(
        part.replace("-", "--").replace("/", "%2F").replace(" ", "%20")
        for part in (label, value)
    )
    return (
        f".. |badge{index}| image:: https://img.shields.io/badge/{text}-{color}.png\n"
        f"    :target: {target}\n    :alt: {label}: {value}"
    )


def fragment(addon, name, shift=0):
    """Return a fragment as reStructuredText with paths from the addon's folder."""
    path = addon / "readme" / f"{name}.md"
    if not path.exists():
        return ""
    text = pypandoc.convert_text(
        path.read_text(encoding="utf-8"),
        to="rst",
        format=MARKDOWN,
        extra_args=[f"--shift-heading-level-by={shift}", "--columns=79"],
        sandbox=True,
    )
    return re.sub(r"((?:image|figure):: )(?:\.\./)+", r"\1", text)


def render_rst(addon):
    manifest = ast.literal_eval((addon / "__manifest__.py").read_text(encoding="utf-8"))
    status = manifest.get("development_status", "Beta")
    license_, website = manifest["license"], manifest["website"].rstrip("/")
    project = "/".join(website.split("/")[-2:])
    source = f"{website}/tree/{manifest['version'][:4]}/{addon.name}"
    development_status = "https://odoo-community.org/page/development-status"
    licenses = f"http://www.gnu.org/licenses/{license_.lower()}.0-standalone.html"
    badges = [
        badge(1, "maturity", status, STATUS_COLORS[status], development_status),
        badge(2, "license", license_, "blue", licenses),
        badge(3, "github", project, "lightgray", source),
    ]
    authors = [author.strip() for author in manifest["author"].split(",")]
    overline = "=" * len(manifest["name"]) + "\n"
    parts = [
        overline + title(manifest["name"]),
        NOTICE,
        "\n".join(badges),
        "|badge1| |badge2| |badge3|",
        fragment(addon, "DESCRIPTION"),
        ALPHA if status == "Alpha" else "",
        "**Table of contents**",
        ".. contents::\n   :local:",
    ]
    for name, heading in SECTIONS.items():
        if text := fragment(addon, name):
            parts += [title(heading), text]
    parts += [
        title("Bug Tracker"),
        f"Bugs are tracked on `GitHub Issues <{website}/issues>`_. In case of trouble,\n"
        "please check there if your issue has already been reported.",
        title("Credits"),
    ]
    if named := [f"* {author}" for author in authors if author != OCA]:
        parts += [title("Authors", "-"), "\n".join(named)]
    for name, heading in CREDITS.items():
        if text := fragment(addon, name, shift=1):
            parts += [title(heading, "-"), text]
    parts += [title("Maintainers", "-"), MAINTAINED_BY_OCA if OCA in authors else ""]
    if maintainers := manifest.get("maintainers"):
        parts.append("Current maintainers: " + ", ".join(maintainers))
    parts.append(f"This module is part of the `{project} <{source}>`_ project on GitHub.")
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def render_html(rst):
    html = publish_string(rst, writer="html4css1", settings_overrides=HTML_SETTINGS)
    html = re.sub(r'(<meta name="generator" content="Docutils)[^"]*', r"\1", html)
    # The page lies two folders below the addon's, in static/description.
    html = html.replace('src="static/description/', 'src="')
    return html.replace('src="static/', 'src="../')


def write(path, text):
    """Write `text` to `path` and return whether that changed it."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"wrote {path}")
    return True


def main(arguments):
    changed = False
    for addon in sorted({Path(argument).parts[0] for argument in arguments}):
        addon = Path(addon)
        if (addon / "readme" / "DESCRIPTION.md").exists():
            rst = render_rst(addon)
            changed |= write(addon / "README.rst", rst)
            changed |= write(addon / "static/description/index.html", render_html(rst))
    return int(changed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
