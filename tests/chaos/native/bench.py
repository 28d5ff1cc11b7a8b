"""An Odoo without our addons, a campaign on it, and what its processes run."""

from ... import campaigns

MODULES = ("mass_mailing", "queue_job")


class Bench:
    """A database of its own with one campaign, and an SMTP server.

    :param scope: see `support.workspace.Scope`
    """

    def __init__(self, scope, recipients):
        self.scope = scope
        self.recipients = recipients
        self.sink = scope.sink().start()
        self.database = scope.database(MODULES, label="native")
        self.shell = scope.shell(self.database)
        self.mailing_id = self.shell.run(
            campaigns.build, recipients=recipients, port=self.sink.port
        )
        self.shell.run(set_parameter, name="mail.mail.force.send.limit", value="0")

    def compose(self):
        """Compose for everybody, as the scheduled action does, and send nothing."""
        self.shell.run(send_mailing, mailing_id=self.mailing_id)

    def deliver(self):
        """Run the mail queue; returns the name of the exception that it ended with."""
        with self.shell.start(deliver) as run:
            run.wait_for("ready")
            run.go_on()
            return run.result()

    def records(self):
        """The ids of the recipients."""
        return self.database.column(
            "SELECT contact_id FROM mailing_subscription WHERE list_id IN "
            "(SELECT mailing_list_id FROM mail_mass_mailing_list_rel) ORDER BY 1"
        )

    def traces(self):
        """How many traces have which status."""
        return self.database.counts(
            "SELECT trace_status, count(*) FROM mailing_trace GROUP BY 1"
        )

    def mails(self):
        """How many mails are in which state; those that were sent are deleted."""
        return self.database.counts("SELECT state, count(*) FROM mail_mail GROUP BY 1")

    def delivered(self):
        """How often each address got the email."""
        addresses = [message.recipients[0] for message in self.sink.messages()]
        return {address: addresses.count(address) for address in addresses}

    def twice(self):
        """How many addresses got it more than once."""
        return sum(times > 1 for times in self.delivered().values())


def set_parameter(env, step, name, value):
    env["ir.config_parameter"].set_param(name, value)


def send_mailing(env, step, mailing_id, **arguments):
    """Send it as a caller of its public method does, to everybody or to some."""
    env["mailing.mailing"].browse(mailing_id).action_send_mail(**arguments)


def deliver(env, step):
    """Run the mail queue, and commit or roll back as the scheduled action does."""
    step("ready")
    try:
        env["mail.mail"].process_email_queue()
        env.cr.commit()
    except Exception as error:
        env.cr.rollback()
        return type(error).__name__
    return None


def send_in_step(env, step, mailing_id, res_ids, model, method):
    """Send to some recipients, and wait at a method for the other worker.

    :param model: whose `method` is done, and written, when it waits
    :return: the name of the exception that it ended with
    """
    original = getattr(env.registry[model], method)

    def wait(self, *args, **kwargs):
        result = original(self, *args, **kwargs)
        env.flush_all()
        if method != "write" or "state" in args[0]:
            step(method)
        return result

    setattr(env.registry[model], method, wait)
    try:
        env["mailing.mailing"].browse(mailing_id).action_send_mail(res_ids=res_ids)
        env.cr.commit()
    except Exception as error:
        env.cr.rollback()
        return type(error).__name__
    return None
