"""One of Odoo's newsletter designs, as the editor would leave it in a mailing.

The web client asks the server for the rendered designs, puts the chosen one into its
layout and keeps that as `body_arch`. For `body_html`, what is sent, it computes every
style in a browser and writes it into the elements. Here a few rules stand in for the
browser: the mail has the same text, links, pictures and weight, not the same looks.
"""

from lxml import etree, html

DESIGNS = "mass_mailing.email_designer_themes"
CHOSEN = "newsletter"
GREETING = '<p>Dear <t t-out="object.name"/>,</p>'
FONT = "font-family: Arial, 'Helvetica Neue', Helvetica, sans-serif;"

# What the editor's style sheet and the design's own variables come to. The last rule
# that matches comes last in the attribute, so it wins as it does in a browser.
STYLES = (
    ("p", f"margin: 0 0 16px 0; line-height: 1.5; font-size: 16px; {FONT}"),
    ("h1", f"margin: 0; color: #CE0000; font-size: 54px; {FONT}"),
    ("h2", f"margin: 0 0 8px 0; font-weight: bolder; font-size: 26px; {FONT}"),
    ("h3", f"margin: 0 0 8px 0; font-weight: bolder; font-size: 16px; {FONT}"),
    ("a", "color: #212529; text-decoration-line: underline;"),
    (
        "a.btn-primary",
        "display: inline-block; padding: 6px 12px; color: #FFFFFF; "
        "background-color: #CE0000; border: 1px solid #CE0000; text-decoration: none;",
    ),
    ("img", "max-width: 100%; vertical-align: middle; border: 0;"),
    (".pt8", "padding-top: 8px;"),
    (".pt16", "padding-top: 16px;"),
    (".pt24", "padding-top: 24px;"),
    (".pt32", "padding-top: 32px;"),
    (".pb8", "padding-bottom: 8px;"),
    (".pb16", "padding-bottom: 16px;"),
    (".pb24", "padding-bottom: 24px;"),
    (".pb32", "padding-bottom: 32px;"),
    (".bg-white", "background-color: #FFFFFF;"),
)


class DesignMissing(Exception):
    """Odoo has no such design: mass_mailing_themes is not installed."""


def bodies(rpc):
    """`body_arch` and `body_html` of a mailing in the chosen design."""
    rendered = rpc.call("ir.ui.view", "render_public_asset", [DESIGNS, {}])
    arch = layout(rendered, CHOSEN)
    return arch, inline(arch)


def layout(rendered, name):
    """The design `name` in the editor's layout, with a greeting by name."""
    found = html.fromstring(rendered).xpath("//div[@data-name=$name]", name=name)
    if not found:
        raise DesignMissing(name)
    design = found[0]
    title = design.find(".//h2")
    title.addnext(html.fragment_fromstring(GREETING))
    style = design.get("data-layout-styles", "")
    return (
        f'<div data-name="Mailing" class="o_layout oe_unremovable oe_unmovable '
        f'o_{name}_theme" style="{style}">'
        '<div class="container o_mail_wrapper o_mail_regular oe_unremovable">'
        '<div class="row mw-100 mx-0">'
        '<div class="col o_mail_no_options o_mail_wrapper_td bg-white oe_structure">'
        f"{_inner(design)}</div></div></div></div>"
    )


def inline(arch):
    """The same mail for readers that know no style sheets."""
    root = html.fragment_fromstring(arch)
    etree.strip_elements(root, "style", with_tail=False)
    for selector, style in STYLES:
        for element in root.cssselect(selector):
            own = element.get("style", "").strip()
            # Ours first: what the design says about this one element wins.
            element.set("style", f"{style} {own}".strip())
    return (
        '<table border="0" cellpadding="0" cellspacing="0" role="presentation" '
        'align="center" width="100%" style="border-collapse: collapse; width: 100%;">'
        '<tbody><tr><td align="center"><table border="0" cellpadding="0" '
        'cellspacing="0" role="presentation" width="600" style="border-collapse: '
        'collapse; max-width: 600px;"><tbody><tr><td>'
        f"{html.tostring(root, encoding='unicode')}"
        "</td></tr></tbody></table></td></tr></tbody></table>"
    )


def links(body):
    """The addresses that a body links to."""
    return [link.get("href") for link in html.fragment_fromstring(body).iter("a")]


def _inner(element):
    parts = [element.text or ""]
    parts += [html.tostring(child, encoding="unicode") for child in element]
    return "".join(parts)
