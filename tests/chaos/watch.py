"""Whether all wait for what is only one recipient's fault."""

import time

from .faults_recipients import POISONOUS

#: How long nobody may be sent anything while somebody waits who could be (seconds). A
#: known outage lasts a minute at least.
STALL = 50
LOOK_SECONDS = 0.5


class Watch:
    """Looks at a run whose faults are no server's, account's or worker's.

    Such a run is not hurried while anybody waits for the first attempt: there an
    outage of a minute lasts a minute, as it would for people.

    :param innocent: whether it is such a run; others are only hurried
    :param pauses: whether the mailing may pause by itself
    """

    def __init__(self, world, innocent, pauses):
        self.world = world
        self.innocent = innocent
        self.pauses = pauses
        self._looked = 0
        self._count, self._changed = 0, time.monotonic()
        self._limits = world.query("SELECT to_regclass('mailing_provider_state')")[0][0]

    def look(self):
        """Note what rests, stops or pauses."""
        if not self.innocent or time.monotonic() < self._looked + LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        for failures, reply in self.world.query(
            "SELECT failures, reply FROM mailing_queue_outage WHERE failures > 0 "
            "AND retry_at > now() AT TIME ZONE 'utc'"
        ):
            if self._waiting():
                self._note(f"an outage for one recipient's fault: {reply}", failures)
        for (reason,) in self.world.query(
            "SELECT COALESCE(queue_pause_reason, '') FROM mailing_mailing "
            "WHERE id = %s AND queue_paused",
            (self.world.mailing_id,),
        ):
            if not (self.pauses or self.world.paused):
                self._note(f"the mailing pauses: {reason}")
        if not self._limits:
            return
        for provider, stopped, rest, reason, reply in self.world.query(
            "SELECT provider_id, stopped, rest_until > %s, rest_reason, last_reply "
            "FROM mailing_provider_state WHERE stopped IS NOT NULL OR rest_until > %s",
            (time.time(), time.time()),
        ):
            what = "rests" if rest else "stops"
            self._note(f"the account {what}: {stopped or reason} ({reply})")
            self.world.press("action_resume", "mailing.provider", [provider])

    def may_hurry(self):
        """Whether waits may be over: nobody waits but whose own attempt is later."""
        if not self.innocent:
            return True
        waiting, count = self._waiting(), self.world.sink.count()
        state, paused = self.world.state()
        if count != self._count or paused or state != "sending":
            self._count, self._changed = count, time.monotonic()
        if not waiting:
            return True
        if time.monotonic() < self._changed + STALL:
            return False
        self._note(f"nothing was sent for {STALL} s while somebody waited", waiting)
        self._changed = time.monotonic()
        return True

    def _waiting(self):
        """How many wait who could be sent to."""
        rows = self.world.query(
            "SELECT email FROM mailing_trace WHERE mass_mailing_id = %s "
            "AND trace_status IN ('outgoing', 'process') "
            # Resume gives back the attempts of who is refused for now.
            "AND COALESCE(queue_attempts, 0) = 0 "
            "AND COALESCE(queue_smtp_code, 421) = 421",
            (self.world.mailing_id,),
        )
        return sum(not POISONOUS.search(email or "") for (email,) in rows)

    def _note(self, text, count=None):
        if text not in self.world.problems:
            self.world.problems.append(text)
            extra = "" if count is None else f" ({count})"
            self.world.note(text + extra)
