"""Mailings of a shop that sends some of them by post."""

from collections import Counter
from contextlib import contextmanager

from odoo import models

#: What this process did, so that a test can tell.
SEEN = Counter()


class MailingMailing(models.Model):
    _inherit = "mailing.mailing"

    # ------------------------------------------------------------------
    # The plan
    # ------------------------------------------------------------------

    def _queue_adopt(self):
        """Leave mailings that are named so to Odoo itself."""
        native = self.filtered(lambda mailing: mailing.subject.startswith("[native]"))
        SEEN["adopt"] += 1
        return super(MailingMailing, self - native)._queue_adopt()

    def _queue_next_records(self, after=0, limit=1):
        """Look elsewhere for them, in the same order and none twice."""
        SEEN["next_records"] += 1
        return super()._queue_next_records(after, limit)

    def _queue_create_jobs(self, traces):
        """Count who gets a job."""
        SEEN["create_jobs"] += len(traces)
        return super()._queue_create_jobs(traces)

    def _queue_channel(self):
        """Have a channel of our own, which the data of this addon creates."""
        SEEN["channel"] += 1
        return self.env.ref("mass_mailing_queue_example.channel_example").complete_name

    def _queue_next_eta(self):
        """Start as soon as the others say."""
        SEEN["next_eta"] += 1
        return super()._queue_next_eta()

    def _queue_job_size(self):
        """Carry two recipients at least."""
        SEEN["job_size"] += 1
        return max(super()._queue_job_size(), 2)

    # ------------------------------------------------------------------
    # Delivery
    # ------------------------------------------------------------------

    @contextmanager
    def _queue_admission(self, ledger):
        """Hold something while this job works: a licence, a connection."""
        SEEN["entered"] += 1
        try:
            with super()._queue_admission(ledger):
                yield
        finally:
            SEEN["left"] += 1

    def _queue_check_hours(self, ledger):
        """Raise ``DeliveryPostponed`` here at times when nothing may leave."""
        SEEN["check_hours"] += 1
        return super()._queue_check_hours(ledger)

    def _queue_compose(self, ledger, trace_ids):
        """Give each email a header."""
        routes = super()._queue_compose(ledger, trace_ids)
        for route in routes:
            for parcel in route.parcels:
                for email in parcel.emails:
                    email["headers"]["X-Shop"] = "example"
        SEEN["compose"] += 1
        return routes

    def _queue_permit(self, ledger, route, parcel):
        """Wait here for leave to send to one recipient."""
        SEEN["permit"] += 1
        return super()._queue_permit(ledger, route, parcel)

    def _queue_open_session(self, ledger, route):
        """Use a connection for three messages at most."""
        session = super()._queue_open_session(ledger, route)
        session.max_messages = 3
        SEEN["open_session"] += 1
        return session

    def _queue_take_session(self, ledger, route):
        """Count what goes on with a connection of before."""
        session = super()._queue_take_session(ledger, route)
        SEEN["take_session"] += 1
        return session

    def _queue_keep_session(self, ledger, route, session):
        """Close a connection here that is not to rest."""
        SEEN["keep_session"] += 1
        return super()._queue_keep_session(ledger, route, session)

    def _queue_transmit(self, session, route, messages):
        """Count what is handed to the server."""
        SEEN["transmit"] += len(messages)
        return super()._queue_transmit(session, route, messages)

    def _queue_heed(self, ledger, route, reply):
        """Count the replies by what they mean."""
        SEEN[f"heed {reply.verdict.name}"] += 1
        return super()._queue_heed(ledger, route, reply)

    def _queue_settle(self, routes, outcomes):
        """Count the outcomes of a chunk."""
        SEEN["settle"] += len(outcomes)
        return super()._queue_settle(routes, outcomes)

    # ------------------------------------------------------------------
    # What people are told
    # ------------------------------------------------------------------

    def _queue_waits_for(self, standstill):
        """Say so when it waits for the post."""
        return super()._queue_waits_for(standstill) or "The post."

    def _queue_seconds_left(self, waiting, rate):
        """Add a second for the way to the post."""
        return (super()._queue_seconds_left(waiting, rate) or 0) + 1

    def _queue_expected_seconds(self, recipients):
        """Know it where the others do not."""
        return super()._queue_expected_seconds(recipients) or recipients * 60

    def _queue_describe_server(self):
        """Name the postman."""
        return f"{super()._queue_describe_server()} and a postman"

    def _queue_obstacle(self):
        """Warn of holidays."""
        return super()._queue_obstacle() or "The post is closed today."

    def _queue_may_stall(self):
        """Alarm nobody for what waits for the post."""
        SEEN["may_stall"] += 1
        return super()._queue_may_stall().browse()

    # ------------------------------------------------------------------
    # Rehearsals
    # ------------------------------------------------------------------

    def _queue_prepare_rehearsal(self):
        """Let whoever reads it at the rehearsal's server see what it is."""
        return {**super()._queue_prepare_rehearsal(), "preview": "Rehearsed"}

    def _queue_delete_rehearsal(self):
        """Delete what else was made for it."""
        SEEN[f"delete {self.preview}"] += 1
        return super()._queue_delete_rehearsal()
