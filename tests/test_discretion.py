"""What the log, the jobs and the people who are told do not get to read."""

import base64
import re
from email.header import decode_header, make_header

import pytest
import requests

from . import campaigns, throttling
from .support.process import free_port, wait_until
from .support.rpc import RpcError
from .support.sink_rules import Rule

RECIPIENTS = 8
USER, PASSWORD = "postmaster-login", "open sesame-4711"
OTHER_PASSWORD = "swordfish-0815"
API_KEYS = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY")
PAUSED = "sending paused for this account"
SENDGRID_KEY = "SG.dontlookatme.1234567890"

# A line that has addresses and is not ours: Odoo's web server writes down whatever a
# browser asks for, and upstream's links for recipients have their address in them.
NOT_OURS = re.compile(r" INFO \S+ werkzeug: .*\"GET /mailing/\d+/")


def encoded(word):
    return base64.b64encode(word.encode()).decode()


def secrets():
    words = (PASSWORD, OTHER_PASSWORD)
    logins = [f"\0{USER}\0{word}" for word in words]
    return {*words, *map(encoded, (*words, *logins)), *API_KEYS, SENDGRID_KEY}


def addresses():
    plain = {f"contact{number}@example.com" for number in range(RECIPIENTS)}
    return plain | {address.replace("@", "%40") for address in plain}


class Run:
    """A server whose log is read afterwards, and what is done to it."""

    def __init__(self, scope):
        self.sink = scope.sink(spool=True).start()
        self.database = scope.database(throttling.MODULES)
        self.draft = scope.shell(self.database).run(
            campaigns.build,
            recipients=RECIPIENTS,
            port=self.sink.port,
            user=USER,
            password=PASSWORD,
        )
        self.server = scope.server(
            self.database, workers=3, channels="root:2,root.mail:2"
        ).start()
        self.rpc = self.server.rpc()
        (self.mail_server,) = self.rpc.search("ir.mail_server", [])
        (self.account,) = self.rpc.search(
            "mailing.provider", [("server_ids", "!=", False)]
        )

    def launch(self, **values):
        mailing = self.rpc.call("mailing.mailing", "copy", [[self.draft], values])[0]
        self.rpc.press("mailing.mailing", "action_launch", [mailing])
        return mailing

    def set_server(self, **values):
        self.rpc.write("ir.mail_server", [self.mail_server], values)

    def hurry(self):
        """What the clock would do within the hour."""
        self.database.execute("DELETE FROM mailing_queue_outage")
        # Only those that wait: who composes for the others would never come through.
        later = "> now() AT TIME ZONE 'utc'"
        self.database.execute(
            "UPDATE mailing_trace SET queue_next_attempt = NULL "
            f"WHERE queue_next_attempt {later}"
        )
        self.database.execute(
            f"UPDATE queue_job SET eta = NULL WHERE state = 'pending' AND eta {later}"
        )

    def finish(self, mailing):
        def done():
            self.hurry()
            return campaigns.state(self.database, mailing) == "done"

        wait_until(done, 120, "the mailing is done", interval=0.5)

    def wait_for_pause(self, mailing):
        self.database.wait_for(
            "SELECT queue_paused FROM mailing_mailing WHERE id = %s", (mailing,)
        )


def refuse(run):
    """Replies of all kinds, each with the recipient's address in it."""
    run.sink.rules(
        Rule("rcpt", "contact0@", "550 5.1.1 <contact0@example.com> unknown"),
        Rule("rcpt", "contact1@", "450 4.2.0 contact1@example.com greylisted", times=1),
        Rule(
            "end",
            "contact2@",
            "454 Throttling failure: Maximum sending rate, contact2@example.com",
            times=1,
        ),
        Rule("end", "contact3@", action="drop", times=1),
    )
    mailing = run.launch()
    run.finish(mailing)
    assert campaigns.count(run.database, mailing, "error") == 2
    run.rpc.press("mailing.mailing", "action_retry_failed", [mailing])
    run.finish(mailing)
    run.sink.rules()


def break_account(run):
    """The account is refused, with what was sent as login in the answer."""
    said = [USER, OTHER_PASSWORD.upper(), encoded(f"\0{USER}\0{OTHER_PASSWORD}")]
    said += [encoded(OTHER_PASSWORD), OTHER_PASSWORD]
    run.sink.rules(Rule("auth", reply=f"535 5.7.8 not valid: {' '.join(said)}"))
    run.set_server(smtp_pass=OTHER_PASSWORD)
    mailing = run.launch()
    run.wait_for_pause(mailing)
    # In a reply about all that names one: also shown to more people.
    run.sink.rules(
        *(
            Rule(
                "rcpt",
                rf"contact{number}@",
                reply=f"550 5.7.1 Contact{number}@example.com: {PAUSED}",
            )
            for number in range(RECIPIENTS)
        )
    )
    run.set_server(smtp_pass=PASSWORD)
    run.rpc.press("mailing.mailing", "action_queue_resume", [mailing])
    run.rpc.press("mailing.provider", "action_resume", [run.account])
    run.wait_for_pause(mailing)
    run.sink.rules()
    run.rpc.press("mailing.mailing", "action_queue_cancel", [mailing])
    run.finish(mailing)
    run.rpc.press("mailing.provider", "action_resume", [run.account])


def unreachable(run):
    run.set_server(smtp_port=free_port())
    mailing = run.launch()
    run.database.wait_for("SELECT count(*) = 1 FROM mailing_queue_outage")
    run.set_server(smtp_port=run.sink.port)
    run.finish(mailing)


def break_content(run):
    """A placeholder that quotes the recipient it fails for."""
    one = "{{ int(object.email) if 'contact%s@' in object.email else 1 }}"
    with pytest.raises(RpcError, match="invalid literal for int"):
        run.launch(subject="{{ int(object.email) }}")
    mailing = run.launch(subject=one % 4)
    run.finish(mailing)
    assert campaigns.count(run.database, mailing, "error") == 1


def crash(run):
    """A job fails on what another addon might do to the database."""
    run.database.execute(
        "ALTER TABLE mailing_trace ADD CONSTRAINT no_seven "
        "CHECK (email <> 'contact7@example.com') NOT VALID"
    )
    mailing = run.launch()
    run.wait_for_pause(mailing)
    run.database.execute("ALTER TABLE mailing_trace DROP CONSTRAINT no_seven")


def read_quotas(run):
    """Providers that do not answer."""
    endpoint = f"http://127.0.0.1:{free_port()}"
    for values in (
        {"quota_api": "sendgrid", "api_secret": SENDGRID_KEY},
        {
            "quota_api": "ses",
            "api_key_id": API_KEYS[0],
            "api_secret": API_KEYS[1],
            "api_region": "eu-west-1",
        },
    ):
        run.rpc.write(
            "mailing.provider", [run.account], {**values, "api_endpoint": endpoint}
        )
        run.rpc.press("mailing.provider", "action_read_quota", [run.account])


def unsubscribe(run):
    """What a recipient's browser does."""
    header = str(make_header(decode_header(run.sink.messages()[-1].identity)))
    path = header.strip("<>").partition("/mailing/")[2]
    path = path.replace("unsubscribe_oneclick", "confirm_unsubscribe")
    requests.get(f"{run.server.url}/mailing/{path}", timeout=60).raise_for_status()


def test_neither_addresses_nor_secrets_are_read_by_more_people_than_need(scope):
    """All that can go wrong, at Odoo's usual level of logging."""
    run = Run(scope)
    for scene in (
        refuse,
        break_account,
        unreachable,
        break_content,
        crash,
        read_quotas,
        unsubscribe,
    ):
        scene(run)
    run.server.stop()
    log = run.server.log.read_text()
    # It did happen, and upstream did write about it.
    for words in (
        r"Mail delivery failed via SMTP server .*\n?.*SMTPRecipientsRefused",
        r"Failed to render inline_template",
        r"ValueError: invalid literal for int",
        r"ERROR \S+ odoo.sql_db: bad query: .*INSERT INTO \"mailing_trace\"",
        r"ERROR \S+ odoo.addons.queue_job.controllers.main: Traceback",
        r"psycopg2.errors.CheckViolation",
        r"asking Odoo to run job",
        NOT_OURS.pattern,
    ):
        assert re.search(words, log), words
    ours = "\n".join(line for line in log.splitlines() if not NOT_OURS.search(line))
    assert not found_in(ours, secrets() | addresses())

    # Who manages jobs sees no recipients, and nobody sees secrets.
    jobs = stored(run.database, "queue_job", *JOB_COLUMNS)
    assert "CheckViolation" in jobs
    assert not found_in(jobs, secrets() | addresses())
    told = "\n".join(stored(run.database, *table) for table in TOLD)
    assert PAUSED in told and "not valid" in told
    assert not found_in(told, secrets() | addresses())
    # The recipient's own trace has the whole answer.
    assert "<contact0@example.com> unknown" in stored(
        run.database, "mailing_trace", "failure_reason"
    )


JOB_COLUMNS = (
    "name",
    "result",
    "exc_name",
    "exc_message",
    "exc_info",
    "records::text",
    "args::text",
    "kwargs::text",
)
TOLD = (
    ("mailing_mailing", "queue_pause_reason"),
    ("mail_message", "subject", "body"),
    ("mail_activity", "summary", "note"),
    ("mailing_provider", "pause_reason", "quota_error", "quota_problem"),
    ("mailing_provider_state", "rest_reason", "stopped", "last_reply"),
    ("mailing_queue_outage", "reply"),
)


def stored(database, table, *columns):
    """All that these columns have, as one text."""
    where = "WHERE model = 'mailing.mailing'" if table == "mail_message" else ""
    rows = database.query(f"SELECT {', '.join(columns)} FROM {table} {where}")
    return "\n".join(str(value) for row in rows for value in row if value)


def found_in(text, words):
    """The words that a text has, each with the first line it is in."""
    lines = text.splitlines()
    return {
        word: next(line for line in lines if word.lower() in line.lower())[:200]
        for word in words
        if word.lower() in text.lower()
    }
