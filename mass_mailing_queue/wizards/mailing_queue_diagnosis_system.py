# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import socket

from odoo import api, fields, models, tools
from odoo.tools import config

from .. import channels, sql_diagnosis, sql_runner
from ..capacities import MAIL, effective_capacity
from ..wording import plural
from .mailing_queue_diagnosis_mailing import USUAL_LIMIT

#: Scheduled actions without which mailings stop, or nobody is told.
CRONS = (
    "mass_mailing.ir_cron_mass_mailing_queue",
    "mass_mailing_queue.ir_cron_queue_reconcile",
    "mass_mailing_queue.ir_cron_queue_alert",
)

#: A scheduled action that runs each minute is late after so long (seconds).
LATE = 300

#: How long the address that a runner calls may take to answer (seconds).
RUNNER_TIMEOUT = 3


class MailingQueueDiagnosis(models.TransientModel):
    """What the server and its configuration tell: runner, workers, crons."""

    # One model in several files, by what is looked at.
    _inherit = "mailing.queue.diagnosis"  # pylint: disable=consider-merging-classes-inherited

    @api.model
    def _get_checks_system(self):
        return [
            "_check_crons",
            "_check_runner",
            "_check_channel",
            "_check_limit",
            "_check_durable",
            "_check_shared",
        ]

    def _check_crons(self, _mailings):
        findings = []
        for xmlid in CRONS:
            cron = self.env.ref(xmlid, raise_if_not_found=False)
            if cron and cron.active:
                continue
            findings.append(
                self._finding(
                    96,
                    self.env._(
                        "The scheduled action %s is inactive.",
                        cron and cron.name or xmlid,
                    ),
                    self._for_administrator(
                        self.env._(
                            "Activate it, under Settings / Technical / Scheduled "
                            "Actions."
                        )
                    ),
                )
            )
        guard = self.env["mailing.queue.guard"].search([], limit=1)
        late = guard and (fields.Datetime.now() - guard.last_seen).total_seconds()
        if not findings and late and late > LATE:
            findings.append(
                self._finding(
                    88,
                    self.env._(
                        "Scheduled actions have not run for %s minutes.",
                        round(late / 60),
                    ),
                    self._for_administrator(
                        self.env._(
                            "Is Odoo started with max_cron_threads = 1 or more, and is "
                            "no scheduled action stuck? See the server's log."
                        )
                    ),
                )
            )
        return findings

    # ------------------------------------------------------------------
    # The job runner
    # ------------------------------------------------------------------

    def _check_runner(self, _mailings):
        if not sql_runner.runner_leads(self.env.cr):
            return [
                self._finding(
                    78,
                    self.env._(
                        "No job runner is active: mailings are sent slowly, by the "
                        "scheduled action."
                    ),
                    *self._describe_change(
                        self.env["queue.job.channel"]._queue_describe_runner()
                        or self._describe_restart()
                    ),
                )
            ]
        host, port = channels.runner_address()
        address = f"{host}:{port}"
        if error := self._try_address(host, port):
            return [
                self._finding(
                    85,
                    self.env._(
                        "The job runner calls %(address)s, where nobody answers "
                        "(%(error)s): no job is started.",
                        address=address,
                        error=error,
                    ),
                    self._for_administrator(
                        self.env._(
                            "Set host and port in the section [queue_job] of the "
                            "server's configuration, or %(host)s and %(port)s where "
                            "the environment has them, to where Odoo listens.",
                            host=channels.variable("host"),
                            port=channels.variable("port"),
                        )
                    ),
                )
            ]
        if not sql_runner.runner_works(self.env.cr):
            return [
                self._finding(
                    84,
                    self.env._("A job runner is active but starts no jobs."),
                    self._for_administrator(
                        self.env._(
                            "Does it reach Odoo at %s, and is the channel of the jobs "
                            "configured? See the server's log.",
                            address,
                        )
                    ),
                )
            ]
        return []

    def _try_address(self, host, port):
        """Return what is wrong with an address of the configuration, if anything."""
        try:
            socket.create_connection((host, port), RUNNER_TIMEOUT).close()
        except OSError as error:
            return error.strerror or type(error).__name__
        return ""

    # ------------------------------------------------------------------
    # Configuration
    # ------------------------------------------------------------------

    def _describe_change(self, changes):
        """Return a finding's advice and details: what to change in a configuration.

        :param list changes: (what to do, its lines)
        """
        (advice, lines), *others = changes
        for title, more in others:
            lines = [*lines, title, *more]
        return self._for_administrator(advice), lines

    def _describe_restart(self):
        """Say what may keep a runner that is configured from being one."""
        return [
            (
                self.env._(
                    "Odoo is configured to start one. It serves the databases that "
                    "db_name names, or all of them, and looks for them only when it "
                    "starts: restart Odoo. If that does not help, see the server's log."
                ),
                [],
            ),
            *self.env["queue.job.channel"]._queue_describe_recommended(),
        ]

    def _check_channel(self, _mailings):
        """Compare what the channels let run with the workers there are."""
        model = self.env["queue.job.channel"]
        if "queue_job" not in config["server_wide_modules"] and not (
            sql_runner.runner_leads(self.env.cr)
        ):
            # What is said of the runner has all the lines.
            return []
        configured = model._queue_configured()
        now = effective_capacity(configured, MAIL)
        then = effective_capacity(model._queue_recommended(), MAIL)
        values = {
            "now": now,
            "workers": config["workers"],
            "channels": ", ".join(
                f"{name}:{channel.capacity}" for name, channel in configured.items()
            ),
        }
        if now == then:
            return []
        return [
            self._finding(
                44 if now < then else 41,
                self.env._(
                    "Mailings may use only %(now)s of this server's %(workers)s "
                    "workers (%(channels)s).",
                    **values,
                )
                if now < then
                else plural(
                    self.env,
                    now,
                    self.env._(
                        "Mailings may keep %(count)s worker busy, and this server has "
                        "%(workers)s (%(channels)s): people have to wait."
                    ),
                    self.env._(
                        "Mailings may keep %(count)s workers busy, and this server has "
                        "%(workers)s (%(channels)s): people have to wait."
                    ),
                    **values,
                ),
                *self._describe_change(model._queue_describe_recommended()),
            )
        ]

    def _check_limit(self, _mailings):
        if not (advice := self._advise_on_limit()):
            return []
        return [
            self._finding(
                40,
                self.env._(
                    "limit_time_real = %(limit)s is low; %(usual)s is usual.",
                    limit=config["limit_time_real"],
                    usual=USUAL_LIMIT,
                ),
                advice,
            )
        ]

    def _check_durable(self, _mailings):
        if sql_diagnosis.is_durable(self.env.cr):
            return []
        return [
            self._finding(
                30,
                self.env._(
                    "PostgreSQL's synchronous_commit is off: a crash can undo the "
                    "latest changes."
                ),
                self._for_administrator(
                    self.env._(
                        "Nobody is mailed twice because of it, but other data can be "
                        "lost. Turn it on if that matters."
                    )
                ),
            )
        ]

    def _check_shared(self, mailings):
        """Say when campaigns and other mail share a server or a domain."""
        company = self.env.company
        other, _sender = self.env["ir.mail_server"]._find_mail_server(
            company.email_formatted or ""
        )
        findings = []
        own = tools.mail.email_domain_extract(company.email or "")
        for mailing in mailings:
            server = mailing._queue_find_server()
            if server == (other or self.env["ir.mail_server"]):
                findings.append(
                    self._finding(
                        20,
                        self.env._(
                            "The mailing leaves through the same server as your other "
                            "mail: %s.",
                            server.name or config.get("smtp_server") or "localhost",
                        ),
                        self.env._(
                            "Invoices and passwords wait with it, and suffer from "
                            "complaints about it. Use a server, or an account, of its "
                            "own for mailings."
                        ),
                        mailing=mailing,
                    )
                )
            domain = tools.mail.email_domain_extract(mailing.email_from or "")
            if domain and domain == own:
                findings.append(
                    self._finding(
                        18,
                        self.env._(
                            "The mailing is sent from the same domain as your other "
                            "mail: %s.",
                            domain,
                        ),
                        self.env._(
                            "A subdomain of its own, such as news.%s, keeps complaints "
                            "about mailings away from other mail.",
                            domain,
                        ),
                        mailing=mailing,
                    )
                )
        return findings
