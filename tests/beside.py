"""A database with OCA's addons of this family and Odoo's siblings beside ours."""

import email
import email.policy

from . import campaigns
from .support.ledger import identity

OCA = (
    "mail_activity_board",
    "mail_activity_reminder",
    "mail_activity_team",
    "mail_attach_existing_attachment",
    "mail_debranding",
    "mail_forward",
    "mail_gateway",
    "mail_message_destiny_link_template",
    "mail_message_search",
    "mail_multicompany",
    "mail_no_user_assign_notification",
    "mail_notification_custom_subject",
    "mail_optional_autofollow",
    "mail_optional_follower_notification",
    "mail_outbound_static",
    "mail_partner_opt_out",
    "mail_post_defer",
    "mail_print",
    "mail_restrict_follower_selection",
    "mail_restrict_send_button",
    "mail_send_confirmation",
    "mail_show_follower",
    "mail_tracking",
    "mail_tracking_mailgun",
    "mail_tracking_mass_mailing",
    "mass_mailing_list_dynamic",
    "mass_mailing_partner",
    "mass_mailing_partner_title",
    "mass_mailing_resend",
    "queue_job_subscribe",
)
# Those that change how a mailing is sent; the others are installed beside ours by
# tests.upstream.
SIBLINGS = ("marketing_card", "mass_mailing_event", "mass_mailing_sms")
OURS = ("mass_mailing_queue", "mass_mailing_queue_throttle")


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
        self.rpc.create(
            "ir.mail_server",
            {
                "name": "Sink",
                "smtp_host": "127.0.0.1",
                "smtp_port": self.sink.port,
                "smtp_encryption": "none",
                # Of mail_outbound_static.
                "smtp_from": "bulk@example.net",
                "domain_whitelist": "example.net",
            },
        )

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
        """What arrived, in its order: record, sink's message, parsed message."""
        found = []
        for message in self.sink.messages():
            known = identity(message.identity)
            if known and known[0] == mailing:
                with open(message.spooled, "rb") as stream:
                    parsed = email.message_from_binary_file(
                        stream, policy=email.policy.default
                    )
                found.append((known[1], message, parsed))
        return found
