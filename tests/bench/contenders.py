"""Who sends the same campaign: Odoo without us, Odoo with us, and no Odoo at all."""

import multiprocessing
import smtplib
import threading
import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import psutil

from .. import campaigns
from ..demo.campaign import Campaign

THEMES = "mass_mailing_themes"
SECONDS = 1_800


class Contender:
    """A database with a list and a draft, a server, and an SMTP server.

    :param content: `plain`, 1 kB with a placeholder and two links, or `newsletter`, the
        design of that name of Odoo's own
    :param settings: of the server, see `support.config.Config`
    """

    modules = ("mass_mailing",)

    def __init__(self, scope, recipients, content, **settings):
        self.recipients = recipients
        self.sink = scope.sink().start()
        self.database = scope.database((*self.modules, THEMES))
        options = {"limit_time_real": SECONDS, "limit_time_cpu": SECONDS}
        self.server = scope.server(self.database, options=options, **settings).start()
        self.rpc = self.server.rpc()
        if content == "plain":
            self.draft = scope.shell(self.database).run(
                campaigns.build, recipients=recipients, port=self.sink.port
            )
        else:
            campaign = Campaign(self.rpc)
            campaign.set_mail_server(self.sink.host, self.sink.port)
            campaign.import_contacts(scope.place("contacts"), recipients)
            campaign.design()
            self.draft = campaign.mailing_id

    def send(self):
        """Send one campaign to its end.

        :return: emails a second, from the button to the last one's arrival
        """
        before = self.sink.count()
        (mailing,) = self.rpc.call("mailing.mailing", "copy", [[self.draft]])
        begun = time.time()
        self.rpc.press("mailing.mailing", "action_launch", [mailing])
        self.drain(mailing)
        arrived = [message.at for message in self.sink.messages()[before:]]
        if len(arrived) != self.recipients:
            raise RuntimeError(f"{len(arrived)} emails for {self.recipients}")
        return self.recipients / (max(arrived) - begun)

    def drain(self, mailing):
        """Wait until all emails of the mailing have left."""
        raise NotImplementedError


class Ours(Contender):
    """With the queue."""

    modules = ("mass_mailing_queue",)

    def __init__(self, scope, recipients, content, senders=4, job_size=0):
        super().__init__(
            scope,
            recipients,
            content,
            workers=senders + 2,
            channels=f"root:{senders},root.mail:{senders}",
        )
        if job_size:
            self.rpc.set_parameter("mass_mailing_queue.job_size", str(job_size))

    def drain(self, mailing):
        campaigns.wait_until_done(self.database, mailing, SECONDS)


class Native(Contender):
    """As it comes: the scheduled action composes, then the mail queue sends.

    Which runs once an hour; here it is run again until it is empty.
    """

    def __init__(self, scope, recipients, content):
        super().__init__(scope, recipients, content, workers=4, cron_threads=0)

    def drain(self, mailing):
        self.run("mass_mailing.ir_cron_mass_mailing_queue")
        self.run_mail_queue()

    def run(self, cron):
        self.server.rpc().press(
            "ir.cron",
            "method_direct_trigger",
            [self.rpc.reference(cron)],
            timeout=SECONDS,
        )

    def run_mail_queue(self):
        while self.database.value(
            "SELECT EXISTS (SELECT 1 FROM mail_mail WHERE state = 'outgoing')"
        ):
            self.run("mail.ir_cron_mail_scheduler_action")


class NativeTuned(Native):
    """Larger batches and two threads for scheduled actions: one composes, one sends."""

    def __init__(self, scope, recipients, content):
        super().__init__(scope, recipients, content)
        self.rpc.set_parameter("mail.batch_size", "500")

    def drain(self, mailing):
        composing = threading.Thread(
            target=self.run, args=("mass_mailing.ir_cron_mass_mailing_queue",)
        )
        composing.start()
        while composing.is_alive():
            self.run_mail_queue()
            time.sleep(0.2)
        composing.join()
        self.run_mail_queue()


class Ceiling:
    """Two processes that only build the final MIME and hand it to the same SMTP server.

    :param message: one email as it arrived, bytes
    """

    def __init__(self, sink, recipients, message):
        self.sink = sink
        self.recipients = recipients
        self.message = message

    def send(self):
        before = self.sink.count()
        context = multiprocessing.get_context("spawn")
        senders = [
            context.Process(
                target=_build_and_send,
                args=(self.sink.port, self.message, self.recipients // 2),
            )
            for _number in range(2)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        arrived = sorted(message.at for message in self.sink.messages()[before:])
        return (len(arrived) - 1) / (arrived[-1] - arrived[0])


def _build_and_send(port, content, count):
    """Make each message from its parts, as `ir.mail_server` does."""
    original = message_from_bytes(content, policy=policy.SMTP)
    text, page = (part.get_content() for part in original.iter_parts())
    own = ("content-type", "content-transfer-encoding", "mime-version")
    headers = [(name, str(value)) for name, value in original.items()]
    headers = [pair for pair in headers if pair[0].lower() not in own]
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        for number in range(count):
            message = EmailMessage(policy=policy.SMTP)
            for name, value in headers:
                message[name] = value
            message["MIME-Version"] = "1.0"
            message.add_alternative(f"{text}{number}", subtype="plain", charset="utf-8")
            message.add_alternative(f"{page}{number}", subtype="html", charset="utf-8")
            smtp.send_message(message, "news@example.org", ["someone@example.com"])


def capture(scope, content):
    """Return one email of this content as it arrives, bytes."""
    sink = scope.sink(spool=True).start()
    ours = Ours(scope, 1, content)
    ours.sink = sink
    ours.database.execute("UPDATE ir_mail_server SET smtp_port = %s", (sink.port,))
    ours.send()
    ours.server.stop()
    return Path(sink.messages()[0].spooled).read_bytes()


def processor_seconds(server):
    """What the server's processes have used of the processor so far."""
    main = psutil.Process(server.pid)
    return sum(
        sum(process.cpu_times()[:2])
        for process in [main, *main.children(recursive=True)]
    )
