"""Odoo's addons that send mailings their own way, beside ours."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from . import campaigns
from .beside import Shop
from .support.config import HOST
from .support.process import wait_until


@pytest.fixture(scope="module")
def shop(module_scope):
    shop = Shop(module_scope)
    yield shop
    shop.server.kill()


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

    Its design is empty: what draws cards, wkhtmltopdf, is not part of the tests.
    """
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
            "card_template_id": env["card.template"].create({"name": "Empty"}).id,
            "preview_record_ref": f"res.partner,{partners[0].id}",
            "target_url": "https://www.example.com",
        }
    )
    mailing = (
        env["mailing.mailing"]
        .with_context(**campaign.action_share()["context"])
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
    mailing.action_update_cards()
    cards = env["card.card"].search(
        [("campaign_id", "=", campaign.id), ("res_id", "in", partners.ids)]
    )
    return mailing.id, {card.res_id: card._get_path("preview") for card in cards}


def test_a_card_campaign_sends_each_its_own(shop):
    """marketing_card: every partner's own card, two of one address included."""
    mailing, cards = shop.shell.run(build_cards, recipients=8)
    shop.send(mailing)
    messages = shop.messages(mailing)
    bodies = {
        record: parsed.get_body(("html",)).get_content()
        for record, _message, parsed in messages
    }
    assert len(messages) == len(bodies) == len(cards) == 8, "once each"
    for partner, path in cards.items():
        assert path in bodies[int(partner)]
    assert campaigns.count(shop.database, mailing, "sent") == 8
    assert shop.database.value(
        "SELECT count(*) FROM queue_job WHERE mailing_id = %s", [mailing]
    )
