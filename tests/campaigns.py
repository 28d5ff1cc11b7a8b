"""A campaign to send, as a marketer leaves it before pressing Send."""

from .support.process import wait_until

MODULES = ("mass_mailing_queue",)


def build(env, step, recipients, port, user="sender", password="secret"):
    """Make a list, its contacts, a server and a mailing; runs inside Odoo."""
    env["ir.mail_server"].search([]).unlink()
    if port:
        env["ir.mail_server"].create(
            {
                "name": "Sink",
                "smtp_host": "127.0.0.1",
                "smtp_port": port,
                "smtp_encryption": "none",
                "smtp_authentication": "login",
                "smtp_user": user,
                "smtp_pass": password,
            }
        )
    contacts = env["mailing.list"].create({"name": "Customers"})
    env["mailing.contact"].create(
        [
            {
                "name": f"Contact {number}",
                "email": f"contact{number}@example.com",
                "list_ids": [(4, contacts.id)],
            }
            for number in range(recipients)
        ]
    )
    return (
        env["mailing.mailing"]
        .create(
            {
                "subject": "News for {{ object.name }}",
                "body_html": '<p>Dear <t t-out="object.name"/>, '
                '<a href="https://www.example.com/offer">see</a>, '
                '<a href="/unsubscribe_from_list">leave</a>.</p>',
                "email_from": "news@example.org",
                "reply_to_mode": "new",
                "reply_to": "news@example.org",
                "mailing_model_id": env.ref("mass_mailing.model_mailing_list").id,
                "contact_list_ids": [(6, 0, contacts.ids)],
            }
        )
        .id
    )


def state(database, mailing_id):
    """The mailing's state as it is committed."""
    query = "SELECT state FROM mailing_mailing WHERE id = %s"
    return database.query(query, (mailing_id,))[0][0]


def count(database, mailing_id, *statuses):
    """How many of its traces have one of these statuses."""
    query = (
        "SELECT count(*) FROM mailing_trace "
        "WHERE mass_mailing_id = %s AND trace_status = ANY(%s)"
    )
    return database.query(query, (mailing_id, list(statuses)))[0][0]


def wait_until_done(database, mailing_id, seconds=300):
    """Wait for the finalizer."""
    wait_until(
        lambda: state(database, mailing_id) == "done", seconds, "the mailing is done"
    )
