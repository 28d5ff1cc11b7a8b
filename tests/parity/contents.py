"""What is sent: one mailing for each thing that a message can have.

`{attachment}` in a body is the id of the mailing's first attachment. `model` is a
mailing list by default, and `lists` says which ones; `user` presses Send and answers
for the mailing.
"""

import base64

from .audience import BOTH, CLEAN, NEWS, TWINS

SENDER = "news@parity.example"
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)
GREETING = '<p>Dear <t t-out="object.name"/>,</p>'
LEAVE = '<a href="/unsubscribe_from_list">leave</a> <a href="/view">view</a>'


def attachment(name, content, mimetype):
    return {
        "name": name,
        "datas": base64.b64encode(content).decode(),
        "mimetype": mimetype,
    }


def mailing(key, body, **values):
    return {
        "key": key,
        "subject": f"Parity {key}",
        "body_html": f"<div>{body}</div>",
        "email_from": SENDER,
        "reply_to_mode": "new",
        "reply_to": SENDER,
        "lists": [*BOTH],
        "attachments": [],
        "user": "marketer",
        **values,
    }


LINKS = """
<p><a href="https://shop.example/offer">One</a> <a href="https://shop.example/offer">
Two</a> <a href="https://shop.example/offer">One</a></p>
<p><a href="https://shop.example/search?q=a%20b&amp;c=d#top">Query</a>
<a href="/local/page">Local</a> <a href="#anchor">Anchor</a> <a name="anchor"/>
<a href="mailto:a@shop.example?subject=Hi">Mail</a> <a href="tel:+3212345">Call</a>
<a href="https://münchen.example/straße?ü=1">IDN</a> <a href="">Empty</a>
<a href="http://shop.example:8080/"><img src="https://shop.example/pic.png"
alt="A picture"/></a> <a>No target</a>
<a href="https://shop.example/view">Not the view</a></p>
<p><a t-attf-href="https://shop.example/for/{{ object.id }}">Yours</a></p>
<p>https://shop.example/naked and www.shop.example</p>
"""

PERSONAL = """
<p t-if="object.name and object.name.startswith('A')">A for you</p>
<p t-else="">Not A</p>
<p>[<t t-out="object.email"/>] [<t t-out="object.nothing or '' " t-if="False"/>]
[<t t-out="len(object.list_ids)"/>]</p>
<ul><li t-foreach="object.list_ids.sorted('id')" t-as="one"><t t-out="one.name"/></li>
</ul>
"""

STATIC = f"""
<h1>Hello — ¡hola! “quotes” … 𝕌𝕟𝕚𝕔𝕠𝕕𝕖 👍</h1><p>One two  three<br/>
.leading dot</p><p>.</p><pre>  kept   spaces
From the start</pre><!--[if mso]><p>Outlook</p><![endif]-->
<p style="color: red">{"long " * 300}</p><p>{"x" * 1200}</p><p>{LEAVE}</p>
"""

ATTACHED = [
    attachment("Çà et là — “ü”.pdf", b"%PDF-1.4 \x00\xff\xfe tiny", "application/pdf"),
    attachment("plain.txt", "Zeile ü\r\n.\r\nFrom x\n".encode(), "text/plain"),
    attachment("empty.bin", b"", "application/octet-stream"),
    attachment("mail.eml", b"Subject: In\r\n\r\nBody\r\n", "message/rfc822"),
    attachment("x" * 120 + ".csv", b"a;b\n", "text/csv"),
]

LOCALIZED = """
<p><t t-out="object.create_uid.lang"/> <t t-out="object.lang"/>
<t t-out="format_date(object.create_date, date_format='full')"/>
<t t-out="format_date(datetime.date(2031, 8, 14), date_format='full')"/>
<t t-out="format_datetime(datetime.datetime(2031, 8, 14, 23, 30), dt_format='long')"/>
<t t-out="object.country_id.name"/> <t t-out="object.contact_address"/>
<t t-out="format_amount(1234567.891, object.env.company.currency_id)"/></p>
"""

MAILINGS = [
    mailing("static", STATIC),
    mailing(
        "personal",
        GREETING + PERSONAL + LEAVE,
        subject="{{ object.name or 'you' }}, news & more — {{ object.email }}",
        preview="Only for {{ object.name }}: 50 % <off>",
        keep_archives=True,
        lists=[NEWS],
    ),
    mailing("links", LINKS + LEAVE, campaign="Parity campaign"),
    mailing(
        "newsletter",
        None,
        design=True,
        subject="{{ object.name }}, this is our weekly newsletter",
        preview="Preheader",
        lists=[CLEAN, TWINS],
    ),
    mailing(
        "attachments",
        f'<p><img src="data:image/png;base64,{PNG}" alt="pixel"/>'
        '<img src="/web/image/res.company/1/logo"/>'
        f'<span style="background-image: url(data:image/png;base64,{PNG})">x</span>'
        f"</p>{LEAVE}",
        attachments=ATTACHED,
        keep_archives=True,
        lists=[CLEAN, TWINS],
    ),
    mailing(
        "linked",
        '<p>See <a href="/web/content/{attachment}?download=1">the file</a></p>',
        attachments=ATTACHED[:2],
        lists=[TWINS],
    ),
    mailing(
        "unfiltered",
        GREETING,
        use_exclusion_list=False,
        preview="Ünï ‹x›",
        lists=[NEWS],
    ),
    mailing(
        "contacts",
        "<p>No list</p>" + LEAVE,
        model="mailing.contact",
        mailing_domain="[('email', 'ilike', 'nice.example')]",
        keep_archives=True,
        email_from='"Zoë, \\"the\\" Sénder & Co" <zoé@pärity.example>',
        reply_to='"Réply, To" <reply@parity.example>',
    ),
    mailing(
        "partners",
        GREETING + LOCALIZED + LEAVE,
        model="res.partner",
        mailing_domain="[('ref', '=', 'parity')]",
        subject="Für {{ object.name }} ({{ object.lang }})",
        reply_to_mode="update",
        reply_to=False,
    ),
    mailing(
        "partners kept",
        LOCALIZED + LEAVE,
        model="res.partner",
        mailing_domain="[('ref', '=', 'parity')]",
        reply_to_mode="update",
        reply_to=False,
        keep_archives=True,
        attachments=ATTACHED[:2],
        user="french",
        email_from='"{{ object.name }} via" <news@parity.example>',
    ),
    mailing(
        "registrations",
        GREETING + '<p><t t-out="object.event_id.name"/></p>' + LEAVE,
        model="event.registration",
        mailing_domain="[('state', '!=', 'cancel')]",
        reply_to_mode="update",
        reply_to=False,
    ),
    mailing(
        "registrations kept",
        "<p>Static</p>",
        model="event.registration",
        mailing_domain="[]",
        keep_archives=True,
        preview="Seen first",
    ),
    mailing(
        "strangers",
        "<p>In your language</p>",
        model="res.partner",
        mailing_domain="[('ref', '=', 'strangers')]",
    ),
    mailing(
        "own server",
        GREETING + LEAVE,
        server=True,
        email_from='"Öwn" <news@own.example>',
        lists=[CLEAN],
    ),
    mailing("wrong sender", "<p>From nobody</p>", email_from="nobody", lists=[TWINS]),
    mailing(
        "company",
        GREETING + LOCALIZED,
        model="res.partner",
        mailing_domain="[('ref', '=', 'parity')]",
        reply_to_mode="update",
        reply_to=False,
        user="elsewhere",
    ),
    mailing(
        "blank",
        "<p><br></p>",
        attachments=ATTACHED[:1],
        lists=[TWINS],
    ),
]

#: Neither can be rendered for one recipient, who is not the first.
BROKEN = [
    mailing(
        "broken",
        "<p><t t-out=\"1 // (object.name != 'Bystander')\"/></p>",
        lists=[TWINS],
    ),
    mailing(
        "unknown language",
        LOCALIZED,
        model="res.partner",
        mailing_domain="[('ref', '=', 'strangers')]",
    ),
]

#: Two versions of a test; the first one is sent to the rest.
VERSIONS = [
    mailing(
        f"version {version}",
        GREETING,
        lists=[CLEAN],
        campaign="Parity test",
        ab_testing_enabled=True,
        ab_testing_pc=25,
        ab_testing_winner_selection="manual",
    )
    for version in "AB"
]
