# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, models
from odoo.tools import config

from .. import sql_diagnosis, sql_plan
from ..wording import plural

#: Odoo's own limit_time_real (seconds).
USUAL_LIMIT = 120

#: Below anything that is wrong.
STATUS = 12


class MailingQueueDiagnosis(models.TransientModel):
    """What the mailings themselves tell: states, traces, claims, jobs."""

    # One model in several files, by what is looked at.
    _inherit = "mailing.queue.diagnosis"  # pylint: disable=consider-merging-classes-inherited

    @api.model
    def _get_checks_mailing(self):
        return [
            "_check_status",
            "_check_paused",
            "_check_hours",
            "_check_server",
            "_check_nobody",
            "_check_claims",
            "_check_doubts",
            "_check_stuck",
            "_check_failures",
            "_check_jobs",
            "_check_outage",
        ]

    def _check_status(self, mailings):
        findings = []
        for mailing in mailings:
            # As the form counts them.
            (numbers,) = mailing._queue_progress_rows()
            states = dict(mailing._fields["state"]._description_selection(self.env))
            findings.append(
                self._finding(
                    STATUS,
                    plural(
                        self.env,
                        numbers["total"],
                        self.env._(
                            "%(state)s: %(count)s recipient, %(sent)s sent, "
                            "%(waiting)s waiting, %(failed)s failed, %(in_doubt)s in "
                            "doubt."
                        ),
                        self.env._(
                            "%(state)s: %(count)s recipients, %(sent)s sent, "
                            "%(waiting)s waiting, %(failed)s failed, %(in_doubt)s in "
                            "doubt."
                        ),
                        **{**numbers, "state": states[mailing.state]},
                    ),
                    mailing=mailing,
                )
            )
        return findings

    def _check_paused(self, mailings):
        findings = []
        for mailing in mailings.filtered("queue_paused"):
            reason, *details = (mailing.queue_pause_reason or "").split("\n")
            findings.append(
                self._finding(
                    90,
                    self.env._("The mailing is paused. %s", reason),
                    self.env._("Press Resume when it may go on."),
                    details,
                    mailing,
                )
            )
        return findings

    def _check_hours(self, mailings):
        return [
            self._finding(
                50,
                mailing._queue_describe_opening(seconds),
                self.env._(
                    "To send it now, remove the sending hours from the mailing, or "
                    "choose others."
                ),
                mailing=mailing,
            )
            for mailing in mailings
            if mailing._queue_may_plan() and (seconds := mailing._queue_opens_in())
        ]

    def _check_server(self, mailings):
        findings = []
        for mailing in mailings.filtered(lambda mailing: mailing.state != "done"):
            server = mailing._queue_find_server()
            if server and not server.active:
                findings.append(
                    self._finding(
                        95,
                        self.env._("The mail server %s is archived.", server.name),
                        self.env._(
                            "Let the administrator restore it, then press Resume."
                        ),
                        mailing=mailing,
                    )
                )
        return findings

    def _check_nobody(self, mailings):
        """Find mailings all of whose recipients were left out."""
        labels = self._get_failure_labels()
        cancelled = self.env._("Cancelled")
        findings = []
        for mailing in mailings:
            why = dict(sql_diagnosis.left_out(self.env.cr, mailing.id) or [])
            if why:
                findings.append(
                    self._finding(
                        92,
                        self.env._(
                            "Nobody receives the mailing: %s.",
                            ", ".join(
                                f"{count} × {labels.get(kind) or cancelled}"
                                for kind, count in why.items()
                            ),
                        ),
                        self.env._(
                            "Look at its recipients and at the list of blacklisted "
                            "addresses."
                        ),
                        mailing=mailing,
                    )
                )
        return findings

    def _get_failure_labels(self):
        field = self.env["mailing.trace"]._fields["failure_type"]
        return dict(field._description_selection(self.env))

    def _check_claims(self, mailings):
        """Find emails whose worker is gone, and those that take long."""
        dead, slow = [], []
        for worker, seconds, alive in sql_diagnosis.claims_under_way(
            self.env.cr, mailings.ids
        ):
            line = plural(
                self.env,
                round(seconds),
                self.env._("%(worker)s, for %(count)s second"),
                self.env._("%(worker)s, for %(count)s seconds"),
                worker=self._describe_worker(worker),
            )
            (slow if alive else dead).append(line)
        findings = []
        if dead:
            findings.append(
                self._finding(
                    80,
                    self.env._("Emails whose worker is gone: %s.", len(dead)),
                    self._advise_on_limit()
                    or self.env._(
                        "In a minute they are shown as in doubt. Look at the server's "
                        "log for why the workers ended."
                    ),
                    dead,
                )
            )
        if slow:
            findings.append(
                self._finding(
                    46,
                    self.env._(
                        "Emails that wait for an answer of the mail server: %s.",
                        len(slow),
                    ),
                    self.env._("The mail server is slow. Ask its provider."),
                    slow,
                )
            )
        return findings

    def _describe_worker(self, worker):
        node, _colon, process = (worker or "?").rpartition(":")
        return self.env._(
            "node %(node)s, process %(process)s", node=node, process=process
        )

    def _advise_on_limit(self):
        """Return what to do about a time limit that kills workers, if it may have."""
        limit = config["limit_time_real"]
        if not 0 < limit < USUAL_LIMIT:
            return ""
        return self._for_administrator(
            plural(
                self.env,
                limit,
                self.env._(
                    "This server kills a worker whose job takes %(count)s second "
                    "(limit_time_real): less than a slow mail server may take to "
                    "answer. Set limit_time_real = %(usual)s or more."
                ),
                self.env._(
                    "This server kills a worker whose job takes %(count)s seconds "
                    "(limit_time_real): less than a slow mail server may take to "
                    "answer. Set limit_time_real = %(usual)s or more."
                ),
                usual=USUAL_LIMIT,
            )
        )

    def _check_doubts(self, mailings):
        rows = sql_diagnosis.doubts_by_worker(self.env.cr, mailings.ids)
        count = sum(row[-1] for row in rows)
        if not count:
            return []
        advice = self.env._(
            "Decide about them on the mailing: count them as sent, or send them again."
        )
        if limit := self._advise_on_limit():
            return [
                self._finding(
                    81,
                    self.env._(
                        "Emails in doubt: %(count)s. A worker ended before the mail "
                        "server answered, or was killed by limit_time_real.",
                        count=count,
                    ),
                    f"{limit} {advice}",
                    self._describe_doubts(rows),
                )
            ]
        return [
            self._finding(
                62,
                self.env._("Emails that may or may not have arrived: %s.", count),
                advice,
                self._describe_doubts(rows),
            )
        ]

    def _describe_doubts(self, rows):
        return [
            self.env._(
                "%(worker)s, %(time)s UTC: %(count)s",
                worker=self._describe_worker(worker),
                time=time,
                count=count,
            )
            for worker, time, count in rows
        ]

    def _check_stuck(self, mailings):
        findings = []
        for mailing in mailings.filtered(lambda mailing: mailing.state == "sending"):
            if mailing.queue_held:
                findings.append(
                    self._finding(
                        64,
                        self.env._("Recipients held: %s.", mailing.queue_held),
                        self.env._(
                            "Somebody cancelled their job or set it to done. Press "
                            "Resume to send to them after all."
                        ),
                        mailing=mailing,
                    )
                )
            if not mailing.queue_paused and sql_plan.orphans(
                self.env.cr, mailing.id, 1
            ):
                findings.append(
                    self._finding(
                        48,
                        self.env._("Recipients wait without a job."),
                        self.env._(
                            "The scheduled action gives them jobs within a minute. If "
                            "not, look at whether it runs."
                        ),
                        mailing=mailing,
                    )
                )
        return findings

    def _check_failures(self, mailings):
        # Retry Failed leaves out those in doubt.
        reasons = mailings._queue_failure_reasons(in_doubt=False) if mailings else []
        if not reasons:
            return []
        return [
            self._finding(
                42,
                self.env._("Emails failed."),
                self.env._(
                    "Mend what can be mended, then press Retry Failed on the mailing. "
                    "Addresses that do not exist are best removed from its list."
                ),
                [f"{count} × {words}" for count, words in reasons],
            )
        ]

    def _check_jobs(self, mailings):
        rows = sql_diagnosis.failed_jobs(self.env.cr, mailings.ids)
        if not rows:
            return []
        return [
            self._finding(
                72,
                self.env._("Failed jobs: %s.", sum(count for _name, count in rows)),
                self._for_administrator(
                    self.env._(
                        "That is an error in Odoo or in an addon: read it on the job, "
                        "have it repaired, then press Resume on the mailing."
                    )
                ),
                [f"{count} × {name}" for name, count in rows],
            )
        ]

    def _check_outage(self, mailings):
        findings = []
        refs = {mailing._queue_find_server().id or 0 for mailing in mailings}
        for server_ref, reply, seconds in sql_diagnosis.outage_replies(self.env.cr):
            if server_ref in refs:
                findings.append(
                    self._finding(
                        83,
                        self.env._(
                            "The mail server cannot be used at the moment: %s",
                            reply or self.env._("it does not answer."),
                        ),
                        plural(
                            self.env,
                            round(seconds),
                            self.env._(
                                "It is tried again in %(count)s second, and nobody is "
                                "lost. If this lasts, ask the provider."
                            ),
                            self.env._(
                                "It is tried again in %(count)s seconds, and nobody is "
                                "lost. If this lasts, ask the provider."
                            ),
                        ),
                    )
                )
        return findings
