"""Who is on the lists: what people type, import and paste into a contact.

Each entry is plain data. `lists` says on which lists a contact is: False stays, True
opted out.
"""

NEWS, OFFERS, CLEAN, TWINS = "News", "Offers", "Clean", "Twins"
BOTH = {NEWS: False, OFFERS: False}
LONG = "Wolfeschlegelsteinhausenbergerdorff " * 9
RTL = "\u202bשלום עולם\u202c مرحبا"

#: email → still in force
BLACKLIST = {
    "black@nice.example": True,
    "shouting@nice.example": True,
    "second.black@nice.example": True,
    "forgiven@nice.example": False,
}

#: Refused by the SMTP server, for good.
REFUSED = "refused@nice.example"


def contact(name, email, lists=BOTH, **values):
    return {"name": name, "email": email, "lists": lists, **values}


PLAIN = [
    contact("Ann Plain", "ann@nice.example"),
    contact("Bert Case", "Bert.CASE@Nice.Example"),
    contact("Cleo Plus", "cleo+news@nice.example"),
    contact("Dan Spaces", "  dan@nice.example \t"),
    contact(False, "nameless@nice.example"),
    contact("Refused Rita", REFUSED),
]

NAMES = [
    contact(name, f"name{number}@names.example")
    for number, name in enumerate(
        [
            "Zoë Ångström-Đặng",
            'Doe, "Jane" (Ms) <jane>',
            "O'Neill \\ Back\\slash; semi:colon",
            "<b>Bold</b> & \"quoted\" 'single'",
            '{{ object.email }} <t t-out="object.email"/> %s %(x)s $1',
            "<script>alert(1)</script>",
            "&amp; &lt; &#8203;",
            LONG,
            "é" * 200,
            RTL,
            "👩‍🚀🇧🇪 Astro 𝕹𝖆𝖒𝖊",
            "e\u0301 combining, ﬁ ligature, \u00a0no\u2009break",
            "someone@else.example",
            "Line\nbreak",
            "Eve\r\nBcc: victim@nice.example",
            "Tab\tulator",
            "  edges  ",
            "=?utf-8?q?encoded?=",
            ".",
        ]
    )
]

ADDRESSES = [
    contact("Accented", "zoé@nice.example"),
    contact("Idn", "idn@münchen.example"),
    contact("Punycode", "punycode@xn--mnchen-3ya.example"),
    contact("Quoted Local", '"quoted local"@nice.example'),
    contact("Inside", '"Inside, Display" <inside@nice.example>'),
    contact("Angle", "<angle@nice.example>"),
    contact("Long Local", f"{'l' * 80}@nice.example"),
    contact("Long Domain", f"long@{'d' * 60}.{'e' * 60}.{'f' * 60}.example"),
    contact("Two", "two.one@nice.example, two.two@nice.example"),
    contact("Two Semi", "semi.one@nice.example; semi.two@nice.example"),
    contact("Two Spaced", "space.one@nice.example space.two@nice.example"),
    contact("Two Named", '"First" <first@nice.example>, Second <second@nice.example>'),
    contact("Twice", "twice@nice.example, TWICE@nice.example"),
    contact("Half", "half@nice.example, nonsense"),
    contact("No Address", False),
    contact("Empty", ""),
    contact("Blank", "   "),
    contact("Word", "nonsense"),
    contact("No Domain", "nodomain@"),
    contact("No Local", "@nice.example"),
    contact("No Dot", "user@localhost"),
    contact("Blank Inside", "in side@nice.example"),
    contact("Two Ats", "a@b@nice.example"),
    contact("Dots", "dots..dots@nice.example"),
    contact("Newline", "line@nice.example\nother@nice.example"),
    contact("Catchall", "catchall@parity.example"),
    contact("Odoo Bot", "odoobot@example.com"),
    contact("Spaced", "\u00a0spaced@nice.example\u200b"),
    contact("Marked", "Marked <\u200emarked@nice.example\ufeff>"),
    contact("Behind", "behind@nice.example\u00a0"),
    contact("Decomposed", "decomposed@mu\u0308nchen.example"),
    contact("Unmailable", "never@ni\u00a0ce.example"),
]

EXCLUDED = [
    contact("Black", "black@nice.example"),
    contact("Shouting", "SHOUTING@Nice.Example"),
    contact("Forgiven", "forgiven@nice.example"),
    contact("Second Black", "fine@nice.example, second.black@nice.example"),
    contact("Out Of News", "out.news@nice.example", {NEWS: True}),
    contact("Out Of One", "out.one@nice.example", {NEWS: True, OFFERS: False}),
    contact("Out Of Both", "out.both@nice.example", {NEWS: True, OFFERS: True}),
    contact("In And Out", "in.and.out@nice.example", {NEWS: True}),
    contact("In And Out", "in.and.out@nice.example", {OFFERS: False}),
    contact("Out, Invalid", "nonsense out", {NEWS: True, OFFERS: True}),
    contact(
        "Out With A Second", "out.first@nice.example, in.second@nice.example",
        {NEWS: True, OFFERS: True},
    ),
    contact("In With The Second", "in.second@nice.example"),
]  # fmt: skip

#: Names in the order of ids: natively, too, the first one comes first.
DUPLICATES = [
    contact("Twin A", "twin@same.example"),
    contact("Twin B", "TWIN@same.example"),
    contact("Twin C", '"Other Name" <twin@same.example>'),
    contact("Twin D", "twin@same.example, twin.second@same.example"),
    contact("Twin E", "twin.second@same.example"),
]

#: Names against the order of ids: natively the last one comes first.
REVERSED = [
    contact("Zoe", "reversed@same.example", {TWINS: False}),
    contact("Mia", "Reversed@Same.example", {TWINS: False}),
    contact("Ann", "reversed@same.example", {TWINS: False}),
    contact("Zed", "reversed.two@same.example", {TWINS: False}),
    contact("Abe", "reversed.two@same.example, lone@same.example", {TWINS: False}),
    contact("Bystander", "bystander@same.example", {TWINS: False}),
]

SAMPLE = [
    contact(f"Sample {number:02}", f"sample{number}@clean.example", {CLEAN: False})
    for number in range(24)
]

CONTACTS = PLAIN + NAMES + ADDRESSES + EXCLUDED + DUPLICATES + REVERSED + SAMPLE

PARTNERS = [
    {"name": "Pam Plain", "email": "pam@partners.example", "lang": "en_US"},
    {"name": "Pierre Français", "email": "pierre@partners.example", "lang": "fr_FR"},
    {"name": "Lou Languageless", "email": "lou@partners.example", "lang": False},
    {"name": "Arch Ived", "email": "arch@partners.example", "active": False},
    {"name": "Ltd, The", "email": "ltd@partners.example", "is_company": True},
    {"name": "Several", "email": "some@partners.example, more@partners.example"},
    {"name": "Wrong", "email": "nonsense"},
    {"name": "Nothing", "email": False},
    {"name": 'Quo "ted", Comma', "email": '"In, side" <quo@partners.example>'},
    {"name": "Black Partner", "email": "black@nice.example", "lang": "fr_FR"},
    {"name": "Accent", "email": "élodie@pärtners.example", "lang": "fr_FR"},
    {"name": "Same One", "email": "same@partners.example", "lang": "fr_FR"},
    {"name": "Same Two", "email": "same@partners.example", "lang": "fr_FR"},
    {"name": "Refused", "email": "refused@nice.example"},
    {"name": RTL, "email": "rtl@partners.example", "lang": "en_US"},
]

#: One has a language that is not installed any more.
STRANGERS = [
    {"name": "Known", "email": "known@partners.example", "ref": "strangers"},
    {"name": "Dieter", "email": "dieter@partners.example", "lang": "de_DE",
     "ref": "strangers"},
    {"name": "Zoe Last", "email": "zoe@partners.example", "ref": "strangers"},
]  # fmt: skip

#: Attendees of an event, a model without the blacklist mixin. `partner` is who booked.
REGISTRATIONS = [
    {"name": "Reg Plain", "email": "reg@events.example"},
    {"name": "Reg Pierre", "email": "pierre@partners.example",
     "partner": "Pierre Français"},
    {"name": "Reg Other", "email": "other@events.example", "partner": "Pam Plain"},
    {"name": "Reg None", "email": False},
    {"name": "Reg Wrong", "email": "nonsense"},
    {"name": "Reg Black", "email": "black@nice.example"},
    {"name": "Reg Half Black",
     "email": "half@events.example, second.black@nice.example"},
    {"name": "Reg Cancelled", "email": "cancelled@events.example", "state": "cancel"},
    {"name": "Reg Archived", "email": "archived@events.example", "active": False},
    {"name": "Réglisse, \"Œ\"", "email": "œ@évents.example"},
]  # fmt: skip
