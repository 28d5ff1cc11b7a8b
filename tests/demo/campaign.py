"""What a marketer does: a server, a list, a mailing, and the button Send."""

from . import contacts, design
from .progress import Progress

LIST = "Demo Customers"
SUBJECT = "{{ object.name }}, this is our weekly newsletter"
SENDER = '"Demo Newsletter" <newsletter@sender.example>'
USER, PASSWORD = "demo", "demo"
MINIMUM_LINKS = 15


class Campaign:
    """One mailing on one server.

    :param rpc: a session of somebody who may do all of it
    """

    def __init__(self, rpc):
        self.rpc = rpc
        self.list_id = None
        self.mailing_id = None

    def set_job_size(self, size):
        """How many recipients a job carries, as in Settings."""
        self.rpc.set_parameter("mass_mailing_queue.job_size", str(size))

    def set_mail_server(self, host, port):
        """Make the sink the only outgoing mail server."""
        self.rpc.save(
            "ir.mail_server",
            {
                "name": "Demo sink",
                "smtp_host": host,
                "smtp_port": port,
                "smtp_encryption": "none",
                "smtp_authentication": "login",
                "smtp_user": USER,
                "smtp_pass": PASSWORD,
            },
        )

    def import_contacts(self, folder, count):
        """Create the list and import `count` contacts into it."""
        self.list_id = self.rpc.save("mailing.list", {"name": LIST})
        paths = contacts.write_files(folder, count, LIST)
        with Progress("importing contacts", count) as progress:
            for path in paths:
                contacts.import_file(self.rpc, path, progress.add)
        found = len(self.recipients())
        if found != count:
            raise contacts.ImportFailure(f"{found} contacts of {count} are in the list")

    def recipients(self):
        """The ids of the contacts in the list."""
        return self.rpc.search("mailing.contact", [("list_ids", "in", [self.list_id])])

    def design(self):
        """Save the mailing with one of Odoo's designs; returns what it is like."""
        arch, body = design.bodies(self.rpc)
        links = design.links(body)
        if len(links) < MINIMUM_LINKS:
            raise design.DesignMissing(f"{design.CHOSEN} with {len(links)} links only")
        self.mailing_id = self.rpc.save(
            "mailing.mailing",
            {
                "subject": SUBJECT,
                "email_from": SENDER,
                "reply_to_mode": "new",
                "reply_to": SENDER,
                "mailing_model_id": self._model_id("mailing.list"),
                "contact_list_ids": [[4, self.list_id]],
                "body_arch": arch,
                "body_html": body,
            },
        )
        return f"{len(body.encode()) / 1000:.0f} kB, {len(links)} links"

    def send(self):
        """Press Send; the web client asks for a confirmation before it calls."""
        self.rpc.press("mailing.mailing", "action_launch", [self.mailing_id])

    def _model_id(self, name):
        return self.rpc.search("ir.model", [("model", "=", name)])[0]
