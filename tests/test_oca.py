"""OCA's addons of this family, and Odoo's own siblings, beside ours.

Each keeps doing what it is for, while the queue sends: everybody gets one email.
"""

import email
import email.policy
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from . import campaigns
from .support.config import HOST
from .support.ledger import compare, identity
from .support.process import wait_until
from .support.sink_rules import Rule

OCA = (
    "mail_debranding",
    "mail_multicompany",
    "mail_outbound_static",
    "mail_post_defer",
    "mail_tracking",
    "mail_tracking_mass_mailing",
    "mass_mailing_list_dynamic",
    "mass_mailing_partner",
    "mass_mailing_resend",
)
# Those that change how a mailing is sent; the others are installed beside ours by
# tests.upstream.
SIBLINGS = ("marketing_card", "mass_mailing_event", "mass_mailing_sms")
OURS = ("mass_mailing_queue", "mass_mailing_queue_throttle")
PIXEL = re.compile(r"/mail/tracking/open/\w+/\d+/\w+/blank\.gif")


class Shop:
    """A database with all of them, its server, and an SMTP server."""

    def __init__(self, scope):
        self.sink = scope.sink(spool=True).start()
        self.database = scope.database((*OURS, *OCA, *SIBLINGS))
        self.shell = scope.shell(self.database)
        self.server = scope.server(
            self.database, workers=3, channels="root:3,root.mail:2"
        ).start()
        self.rpc = self.server.rpc()

    def send(self, mailing):
        """Press Send and wait for the end."""
        self.rpc.press("mailing.mailing", "action_launch", [mailing])
        campaigns.wait_until_done(self.database, mailing)

    def values(self, mailing, *names):
        """Values of the mailing's traces, by address."""
        rows = self.rpc.search_read(
            "mailing.trace", [("mass_mailing_id", "=", mailing)], ["email", *names]
        )
        return {row["email"]: [row[name] for name in names] for row in rows}

    def messages(self, mailing):
        """The messages that arrived, parsed, by the first recipient's address."""
        found = {}
        for message in self.sink.messages():
            if (identity(message.identity) or (None,))[0] == mailing:
                with open(message.spooled, "rb") as stream:
                    found[message.recipients[0]] = email.message_from_binary_file(
                        stream, policy=email.policy.default
                    )
        return found


@pytest.fixture(scope="module")
def shop(module_scope):
    shop = Shop(module_scope)
    yield shop
    shop.server.kill()


def build_dynamic(env, step, recipients, port, **values):
    """A mailing to a list that takes in whoever has the tag; runs inside Odoo."""
    env["ir.mail_server"].search([]).unlink()
    env["ir.mail_server"].create(
        {
            "name": "Sink",
            "smtp_host": "127.0.0.1",
            "smtp_port": port,
            "smtp_encryption": "none",
            **values,
        }
    )
    tag = env["res.partner.category"].create({"name": "Friends"})
    env["res.partner"].create(
        [
            {
                "name": f"Friend {number}",
                "email": f"friend{number}@example.com",
                "category_id": [(4, tag.id)],
            }
            for number in range(recipients)
        ]
    )
    contacts = env["mailing.list"].create(
        {
            "name": "Friends",
            "dynamic": True,
            "sync_method": "full",
            "sync_domain": str([("category_id", "in", tag.ids)]),
        }
    )
    mailing = env["mailing.mailing"].create(
        {
            "subject": "News for {{ object.name }}",
            "body_html": '<p>Dear <t t-out="object.name"/>, '
            '<a href="https://www.example.com/offer">see</a>.</p>',
            "email_from": "News <news@example.org>",
            "reply_to_mode": "new",
            "reply_to": "news@example.org",
            "mailing_model_id": env.ref("mass_mailing.model_mailing_list").id,
            "contact_list_ids": [(6, 0, contacts.ids)],
        }
    )
    return mailing.id, tag.id


@pytest.fixture(scope="module")
def dynamic(shop):
    """A mailing that was sent to a dynamic list of 20, and its partners' tag."""
    mailing, tag = shop.shell.run(
        build_dynamic,
        recipients=20,
        port=shop.sink.port,
        smtp_from="bulk@example.net",
        domain_whitelist="example.net",
    )
    shop.send(mailing)
    return mailing, tag


def test_a_dynamic_list_is_filled_and_everybody_gets_one(shop, dynamic):
    """mass_mailing_list_dynamic looks for its partners when Send is pressed."""
    mailing, _tag = dynamic
    verdict = compare(shop.sink, shop.database, mailing, recipients=20)
    assert verdict.flawless, str(verdict)
    # The queue sent it, not Odoo's own way.
    assert shop.database.value(
        "SELECT count(*) FROM queue_job WHERE mailing_id = %s", [mailing]
    )


def test_traces_are_linked_to_partners(shop, dynamic):
    """mass_mailing_partner: of each contact that was made, its partner."""
    mailing, tag = dynamic
    partners = {
        row["email"]: row["id"]
        for row in shop.rpc.search_read(
            "res.partner", [("category_id", "in", [tag])], ["email"]
        )
    }
    linked = shop.values(mailing, "partner_id")
    assert {address: found[0][0] for address, found in linked.items()} == partners


def test_the_server_says_who_sends(shop, dynamic):
    """mail_outbound_static: the address of the server, the name of the sender."""
    mailing, _tag = dynamic
    messages = [
        message
        for message in shop.sink.messages()
        if identity(message.identity)[0] == mailing
    ]
    assert {message.sender for message in messages} == {"bulk@example.net"}
    authors = {str(message["From"]) for message in shop.messages(mailing).values()}
    assert authors == {"News <bulk@example.net>"}


def test_every_email_is_tracked_and_an_open_is_counted(shop, dynamic):
    """mail_tracking: one record a recipient, sent, then opened by its pixel."""
    mailing, _tag = dynamic
    trackings = shop.rpc.search_read(
        "mail.tracking.email",
        [("mass_mailing_id", "=", mailing)],
        ["recipient_address", "state", "tracking_event_ids"],
    )
    assert len(trackings) == 20
    assert {len(row["tracking_event_ids"]) for row in trackings} == {1}
    assert {row["state"] for row in trackings} == {"sent"}
    linked = shop.values(mailing, "mail_tracking_id")
    assert {found[0][0] for found in linked.values()} == {
        row["id"] for row in trackings
    }
    address, message = next(iter(shop.messages(mailing).items()))
    assert int(message["X-Odoo-MailTracking-ID"]) == linked[address][0][0]
    body = message.get_body(("html",)).get_content()
    path = PIXEL.search(body)[0]
    assert requests.get(f"{shop.server.url}{path}", timeout=30).ok
    assert shop.values(mailing, "trace_status")[address] == ["open"]
    (row,) = shop.rpc.read("mail.tracking.email", [linked[address][0][0]], ["state"])
    assert row["state"] == "opened"


def test_sent_again_to_who_is_new(shop, dynamic):
    """mass_mailing_resend: back to draft when done, and Send reaches the rest."""
    mailing, tag = dynamic
    shop.rpc.create(
        "res.partner",
        {"name": "Late", "email": "late@example.com", "category_id": [(4, tag)]},
    )
    shop.rpc.press("mailing.mailing", "button_draft", [mailing])
    assert campaigns.state(shop.database, mailing) == "draft"
    shop.send(mailing)
    assert shop.values(mailing, "trace_status")["late@example.com"] == ["sent"]
    verdict = compare(shop.sink, shop.database, mailing, recipients=21)
    assert verdict.flawless, str(verdict)


def test_what_failed_is_told_by_both(shop, dynamic):
    """A refusal is one for mail_tracking, too; a doubt stays a doubt.

    mail_tracking notes that the attempt failed, and mail_tracking_mass_mailing would
    make that the trace's failure: then Retry would send again what may have arrived.
    """
    first, _tag = dynamic
    (mailing,) = shop.rpc.call("mailing.mailing", "copy", [[first]])
    shop.sink.rules(
        Rule("rcpt", match="^friend3@", reply="550 5.1.1 No such user"),
        Rule("end", match="^friend5@", action="accept-drop"),
    )
    shop.send(mailing)
    shop.sink.rules()
    verdict = compare(shop.sink, shop.database, mailing)
    assert verdict.exactly_once, str(verdict)
    assert len(verdict.in_doubt) == 1, str(verdict)
    traces = shop.values(mailing, "trace_status", "failure_type", "mail_tracking_id")
    assert traces["friend3@example.com"][0] == "error"
    assert traces["friend5@example.com"][:2] == ["error", "queue_in_doubt"]
    for address in ("friend3@example.com", "friend5@example.com"):
        tracking = traces[address][2][0]
        (row,) = shop.rpc.read("mail.tracking.email", [tracking], ["state"])
        assert row["state"] == "error"
    shop.rpc.press("mailing.mailing", "action_retry_failed", [mailing])
    campaigns.wait_until_done(shop.database, mailing)
    verdict = compare(shop.sink, shop.database, mailing)
    assert verdict.exactly_once, str(verdict)
    assert len(verdict.in_doubt) == 1, "nobody decided about it"
    assert verdict.unique == verdict.recipients, "the refused one has it now"


class SmsProvider(BaseHTTPRequestHandler):
    """Answers as the provider that Odoo sends SMS through, and keeps the numbers.

    The real one is a paid service on the internet; this is its protocol only.
    """

    def do_POST(self):
        size = int(self.headers["Content-Length"])
        request = json.loads(self.rfile.read(size))
        numbers = [
            number
            for message in request["params"]["messages"]
            for number in message["numbers"]
        ]
        self.server.numbers += [number["number"] for number in numbers]
        result = [{"uuid": number["uuid"], "state": "success"} for number in numbers]
        body = json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_args):
        """Keep quiet."""


@pytest.fixture
def provider():
    server = ThreadingHTTPServer((HOST, 0), SmsProvider)
    server.numbers = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def build_sms(env, step, recipients, endpoint):
    """An SMS mailing to a list; runs inside Odoo."""
    env["ir.config_parameter"].set_param("sms.endpoint", endpoint)
    contacts = env["mailing.list"].create({"name": "Phones"})
    env["mailing.contact"].create(
        [
            {
                "name": f"Phone {number}",
                "mobile": f"+324560000{number:02}",
                "list_ids": [(4, contacts.id)],
            }
            for number in range(recipients)
        ]
    )
    return (
        env["mailing.mailing"]
        .create(
            {
                "subject": "SMS",
                "mailing_type": "sms",
                "body_plaintext": "Hello",
                "mailing_model_id": env.ref("mass_mailing.model_mailing_list").id,
                "contact_list_ids": [(6, 0, contacts.ids)],
            }
        )
        .id
    )


def test_an_sms_mailing_takes_its_own_way(shop, provider):
    """mass_mailing_sms sends it, as if the queue were not there."""
    endpoint = f"http://{HOST}:{provider.server_port}"
    mailing = shop.shell.run(build_sms, recipients=8, endpoint=endpoint)
    shop.send(mailing)
    wait_until(lambda: len(provider.numbers) == 8, 120, "the SMS")
    assert len(set(provider.numbers)) == 8
    traces = shop.database.query(
        "SELECT DISTINCT trace_type, queue_planned IS TRUE, queue_job_uuid "
        "FROM mailing_trace WHERE mass_mailing_id = %s",
        (mailing,),
    )
    assert traces == [("sms", False, None)]
    assert not shop.database.query(
        "SELECT 1 FROM queue_job WHERE mailing_id = %s", (mailing,)
    )


def build_cards(env, step, recipients):
    """A mailing with a card for each partner; runs inside Odoo.

    The pictures are given: what draws them, wkhtmltopdf, is not part of the tests.
    """
    import base64
    import io

    from PIL import Image

    picture = io.BytesIO()
    Image.new("RGB", (4, 4)).save(picture, "JPEG")
    # Two of them share an address: each card is mailed all the same.
    partners = env["res.partner"].create(
        [
            {
                "name": f"Guest {number}",
                "email": f"guest{max(number, 1)}@example.com",
            }
            for number in range(recipients)
        ]
    )
    campaign = env["card.campaign"].create(
        {
            "name": "Fair",
            "res_model": "res.partner",
            "preview_record_ref": f"res.partner,{partners[0].id}",
            "target_url": "https://x.test",
        }
    )
    env["card.card"].create(
        [
            {
                "campaign_id": campaign.id,
                "res_id": partner.id,
                "image": base64.b64encode(picture.getvalue()),
                "requires_sync": False,
            }
            for partner in partners
        ]
    )
    context = campaign.action_share()["context"]
    mailing = (
        env["mailing.mailing"]
        .with_context(**context)
        .create(
            {
                "subject": "Your card",
                "email_from": "news@example.org",
                "reply_to_mode": "new",
                "reply_to": "news@example.org",
                "mailing_domain": str([("id", "in", partners.ids)]),
            }
        )
    )
    mailing.body_html = mailing.body_arch
    return mailing.id, {
        partner.id: card._get_path("preview")
        for partner, card in zip(
            partners, env["card.card"].search([], order="res_id"), strict=True
        )
    }


def test_a_card_campaign_sends_each_its_own(shop):
    """marketing_card: every partner's own card, two of one address included."""
    mailing, cards = shop.shell.run(build_cards, recipients=8)
    shop.send(mailing)
    bodies = {}
    for message in shop.sink.messages():
        found = identity(message.identity)
        if found and found[0] == mailing:
            with open(message.spooled, "rb") as stream:
                parsed = email.message_from_binary_file(
                    stream, policy=email.policy.default
                )
            assert found[1] not in bodies, "once each"
            bodies[found[1]] = parsed.get_body(("html",)).get_content()
    assert set(bodies) == {int(partner) for partner in cards}
    for partner, path in cards.items():
        assert path in bodies[int(partner)]
    assert campaigns.count(shop.database, mailing, "sent") == 8
    assert shop.database.value(
        "SELECT count(*) FROM queue_job WHERE mailing_id = %s", [mailing]
    )
