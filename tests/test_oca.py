"""OCA's addons of this family do what they are for while the queue sends."""

import json
import os
import re

import pytest
import requests

from . import campaigns
from .beside import OURS, Shop
from .support.ledger import compare
from .support.sink_rules import Rule

# What mail_environment reads; the port is left to the record.
ENVIRONMENT = """
[outgoing_mail]
smtp_encryption = none
smtp_authentication = login
smtp_user = sender
smtp_pass = secret

[outgoing_mail.Sink]
smtp_host = 127.0.0.1
"""
PIXEL = re.compile(r"/mail/tracking/open/\w+/\d+/\w+/blank\.gif")


@pytest.fixture(scope="module")
def shop(module_scope):
    shop = Shop(module_scope)
    yield shop
    shop.server.kill()


def build_dynamic(env, step, recipients):
    """A mailing to a list that takes in whoever has the tag; runs inside Odoo."""
    tag = env["res.partner.category"].create({"name": "Friends"})
    title = env["res.partner.title"].create({"name": "Captain"})
    env["res.partner"].create(
        [
            {
                "name": f"Friend {number}",
                "email": f"friend{number}@example.com",
                "title_id": title.id,
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
            "body_html": '<p>Dear <t t-out="object.title_id.name"/> '
            '<t t-out="object.name"/>, '
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
    mailing, tag = shop.shell.run(build_dynamic, recipients=20)
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


def test_a_contact_has_the_title_of_its_partner(shop, dynamic):
    """mass_mailing_partner_title: the body may say it."""
    mailing, _tag = dynamic
    for _id, message, parsed in shop.messages(mailing):
        (address,) = message.recipients
        number = re.match(r"friend(\d+)@", address)[1]
        text = parsed.get_body(("plain",)).get_content()
        assert f"Dear Captain Friend {number}," in text


def test_the_server_says_who_sends(shop, dynamic):
    """mail_outbound_static: the address of the server, the name of the sender."""
    mailing, _tag = dynamic
    messages = shop.messages(mailing)
    assert {message.sender for _id, message, _parsed in messages} == {
        "bulk@example.net"
    }
    assert {str(parsed["From"]) for _id, _message, parsed in messages} == {
        "News <bulk@example.net>"
    }


def test_every_email_is_tracked_and_an_open_is_counted(shop, dynamic):
    """mail_tracking: one record a recipient, sent, then opened by its pixel.

    mail_tracking_mailgun says the record's id in a header of its own.
    """
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
    _id, message, parsed = shop.messages(mailing)[0]
    (address,) = message.recipients
    assert int(parsed["X-Odoo-MailTracking-ID"]) == linked[address][0][0]
    assert json.loads(parsed["X-Mailgun-Variables"]) == {
        "odoo_db": shop.database.name,
        "tracking_email_id": str(linked[address][0][0]),
    }
    path = PIXEL.search(parsed.get_body(("html",)).get_content())[0]
    assert requests.get(f"{shop.server.url}{path}", timeout=30).ok
    assert shop.values(mailing, "trace_status")[address] == ["open"]
    (row,) = shop.rpc.read("mail.tracking.email", [linked[address][0][0]], ["state"])
    assert row["state"] == "opened"


def test_sent_again_to_who_is_new(shop, dynamic):
    """mass_mailing_resend: back to draft when done, and Send reaches the rest.

    Who was put on the blacklist with the button of mail_partner_opt_out is none of it.
    """
    mailing, tag = dynamic
    for name in ("late", "out"):
        partner = shop.rpc.create(
            "res.partner",
            {"name": name, "email": f"{name}@example.com", "category_id": [(4, tag)]},
        )
    shop.rpc.press("res.partner", "mail_blacklist_add", [partner])
    shop.rpc.press("mailing.mailing", "button_draft", [mailing])
    assert campaigns.state(shop.database, mailing) == "draft"
    shop.send(mailing)
    statuses = shop.values(mailing, "trace_status", "failure_type")
    assert statuses["late@example.com"] == ["sent", False]
    assert statuses["out@example.com"] == ["cancel", "mail_bl"]
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


def test_a_server_is_described_outside_the_database(scope):
    """mail_environment: what reaches the server is in no column of its table."""
    sink = scope.sink(password="secret").start()
    database = scope.database((*OURS, "mail_environment"))
    mailing = scope.shell(database).run(campaigns.build, recipients=20, port=None)
    server = scope.server(
        database,
        workers=2,
        channels="root:2,root.mail:2",
        environ={**os.environ, "SERVER_ENV_CONFIG": ENVIRONMENT},
    ).start()
    rpc = server.rpc()
    sender = rpc.create("ir.mail_server", {"name": "Sink"})
    # When a record is made, server_environment keeps the default instead.
    rpc.call("ir.mail_server", "write", [[sender], {"smtp_port": sink.port}])
    rpc.press("mailing.mailing", "action_launch", [mailing])
    campaigns.wait_until_done(database, mailing)
    verdict = compare(sink, database, mailing, recipients=20)
    assert verdict.flawless, str(verdict)
