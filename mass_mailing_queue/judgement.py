# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Judge whose fault it is that a message was not accepted. Free of Odoo.

A reply alone does not tell: a recipient's domain may have the server close the
connection, and a server may refuse everybody in words that sound like one recipient's
own. What happens to others decides.
"""

import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import parseaddr

from . import sql_outage, sql_refusal
from .replies import Verdict

#: So many recipients in a row who are refused in the same words, with nobody accepted
#: in between, are refused for what is ours. Where one in ten is refused for reasons of
#: their own, that happens by chance once in ten thousand million times.
ALIKE = 10

#: The same for words that name the recipient, or were heard before while others were
#: accepted: a list may have as many addresses of a domain that is gone.
ALIKE_AND_FAMILIAR = 20

#: So many recipients in a row that break a new connection are the server's fault; of
#: messages that may have arrived, fewer: each is one more that nobody can answer for.
SUSPECTS, SUSPECTS_IN_DOUBT = 3, 2

#: How long one recipient waits after its message broke a connection (seconds): others
#: show meanwhile whether it is the server.
SUSPECT_WAITS = 60

#: How often a recipient's message may end without counting as an attempt, although
#: others were accepted since its last one. Servers close connections after some
#: messages, and a rate limit meets anybody, and often.
FREE_ENDS, FREE_CLOSED, FREE_SLOW_DOWNS = 1, 5, 20

#: Enhanced codes that name the recipient's address or mailbox (RFC 3463, 3.2 and 3.3;
#: 5.1.10 is RFC 7505's, and Microsoft 365's for nobody of that name).
_ADDRESS_STATUS = re.compile(r"[45]\.(1\.([0-6]|10)|2\.\d+)$")

#: A recipient's own server is not waited for longer than that at a time (seconds).
LONGEST_WAIT = 24 * 3600


def stated_wait(reply, longest=LONGEST_WAIT):
    """Return the seconds until the server wants us back, ``None`` if it did not say.

    :param float longest: what is waited for at most (seconds)
    """
    if reply.until is None:
        return None
    seconds = (reply.until - datetime.now(timezone.utc)).total_seconds()
    return min(max(seconds, 1.0), longest)


class Judge:
    """Decides for one job what refusals mean, by what happens to other recipients.

    :param ledger: see ``ledger.Ledger``
    :param int mailing_id: what is being sent
    :param str sender: the mailing's own From address
    """

    def __init__(self, ledger, mailing_id, sender):
        self._ledger = ledger
        self._mailing_id = mailing_id
        self._sender = _address(sender)

    def judge(self, reply, parcel, session, server_ref):
        """Return what a reply means for its recipient, and what for the server.

        :param reply: a :class:`~.replies.Reply`, as its words have it
        :param parcel: whose message it answers; ``passed_over`` is brought up to date
        :param session: the :class:`~.smtp.Session` it came over
        :param int server_ref: the outgoing server, 0 for the configuration file's
        :return: two replies: the one to record, and the one to react to
        """
        if reply.verdict is Verdict.IN_DOUBT:
            return reply, self._judge_doubt(reply, parcel, session, server_ref)
        if reply.verdict in (Verdict.REJECTED, Verdict.DEFERRED):
            reply = self._judge_refusal(reply, parcel)
        elif reply.verdict is Verdict.BROKEN and self._is_another_sender(reply, parcel):
            reply = replace(reply, verdict=Verdict.HELD)
        elif reply.verdict in (
            Verdict.UNREACHABLE,
            Verdict.SLOW_DOWN,
            Verdict.BROKEN,
        ):
            reply = self._judge_free_end(reply, parcel, session, server_ref)
        return reply, reply

    def judge_again(self, reply, parcel):
        """Return what a refusal means once it is recorded.

        Another worker may have found meanwhile that everybody is refused alike, and
        have put back those who were recorded by then.
        """
        if reply.verdict not in (Verdict.REJECTED, Verdict.DEFERRED):
            return reply
        again = self._judge_refusal(reply, parcel)
        return again if again.everybody else reply

    # ------------------------------------------------------------------
    # The same for everybody
    # ------------------------------------------------------------------

    def _judge_refusal(self, reply, parcel):
        """Take the same refusal for everybody for what it is: about us."""
        if not reply.signature or (reply.own and reply.verdict is Verdict.DEFERRED):
            return reply
        moments, first, resumed_at = self._ledger.run(
            sql_refusal.refusals_alike,
            self._mailing_id,
            reply.signature,
            parcel.trace_id,
            ALIKE_AND_FAMILIAR - 1,
        )
        if len(moments) < ALIKE - 1:
            return reply
        familiar = _ADDRESS_STATUS.match(reply.enhanced) or self._accepted_since(first)
        others = (ALIKE_AND_FAMILIAR if familiar else ALIKE) - 1
        if len(moments) < others:
            return reply
        since = moments[others - 1]
        if self._accepted_since(since):
            return reply
        if familiar and resumed_at and since < resumed_at:
            # Somebody has seen these refusals, and went on.
            return reply
        if (
            resumed_at
            and since < resumed_at
            and not self._tried_since(resumed_at, parcel)
        ):
            # Somebody has resumed: those behind show first whether it is over.
            return come_back(reply, SUSPECT_WAITS)
        self._ledger.run(
            sql_refusal.put_back_refused, self._mailing_id, reply.signature, since
        )
        return replace(reply, verdict=Verdict.BROKEN, everybody=True)

    def _accepted_since(self, moment):
        return self._ledger.run(sql_refusal.accepted_since, self._mailing_id, moment)

    @staticmethod
    def _tried_since(moment, parcel):
        """Return whether its message was under way before, but after a moment."""
        return parcel.last_end and parcel.last_end > moment + timedelta(seconds=1)

    def _server_accepted_since(self, moment):
        return self._ledger.run(
            sql_refusal.accepted_by_server_since, self._mailing_id, moment
        )

    def _is_another_sender(self, reply, parcel):
        """Return whether a sender is refused that only some of the emails have."""
        return not reply.account and _address(parcel.email_from) != self._sender

    # ------------------------------------------------------------------
    # One that holds the others up
    # ------------------------------------------------------------------

    def _judge_free_end(self, reply, parcel, session, server_ref):
        """Let nobody knock for ever without an attempt while others are accepted."""
        if reply.verdict is Verdict.SLOW_DOWN and self._is_shared(reply, parcel):
            return reply
        accepted_since = (
            # What is broken may be of this mailing only.
            self._accepted_since
            if reply.verdict is Verdict.BROKEN
            else self._server_accepted_since
        )
        if parcel.last_end and accepted_since(parcel.last_end):
            parcel.passed_over += 1
        broke = reply.verdict is Verdict.UNREACHABLE and reply.code in (0, 421)
        if parcel.passed_over >= self._free_ends(reply, broke and session.delivered):
            return replace(reply, verdict=Verdict.DEFERRED, until=None)
        if not session.in_message and reply.code == 0:
            # It was not about this message: the connection had ended before.
            return reply
        if (
            reply.verdict is Verdict.BROKEN
            and parcel.last_end
            and self._ledger.run(
                sql_refusal.was_refused_before,
                parcel.trace_id,
                reply.signature,
                parcel.last_end,
            )
        ):
            # Somebody has resumed: others show first whether it is this one's own.
            return come_back(reply, SUSPECT_WAITS)
        if not broke:
            return reply
        if session.delivered:
            # The next message gets a new connection.
            return come_back(reply, SUSPECT_WAITS if parcel.passed_over else 1)
        if self._suspect(reply, parcel, server_ref, SUSPECTS):
            return reply
        return come_back(reply, SUSPECT_WAITS)

    def _is_shared(self, reply, parcel):
        """Return whether others were refused alike since it was tried before."""
        return parcel.last_end and self._ledger.run(
            sql_refusal.is_shared,
            self._mailing_id,
            reply.signature,
            parcel.trace_id,
            parcel.last_end,
        )

    @staticmethod
    def _free_ends(reply, closed):
        """Return how often others may pass this recipient before that is its own.

        :param closed: whether a connection ended that had delivered others
        """
        if closed:
            return FREE_CLOSED
        if reply.verdict is Verdict.SLOW_DOWN and reply.limit in (
            "rate",
            "connections",
        ):
            return FREE_SLOW_DOWNS
        return FREE_ENDS

    def _judge_doubt(self, reply, parcel, session, server_ref):
        """Return what a lost answer says of the server."""
        if session.delivered or not self._suspect(
            reply, parcel, server_ref, SUSPECTS_IN_DOUBT
        ):
            return reply
        return replace(reply, verdict=Verdict.UNREACHABLE)

    def _suspect(self, reply, parcel, server_ref, limit):
        """Note who broke a new connection, return whether it is the server's fault."""
        noted = server_ref, parcel.trace_id, reply.text[:200]
        for _try in range(2):
            suspects, since, failures, seconds = self._ledger.run(
                sql_outage.outage_suspect, *noted
            )
            # Where nobody else is left, nobody else shows it either.
            if suspects < limit and seconds < sql_outage.SUSPICION:
                return False
            if failures or not self._server_accepted_since(since):
                return True
            # Over another connection: these few are to blame.
            self._ledger.run(sql_outage.outage_end, server_ref)
        return False


def come_back(reply, seconds):
    """Return the reply as one that has its recipient wait, without an attempt."""
    until = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    return replace(reply, verdict=Verdict.PASSED_OVER, until=until)


def _address(sender):
    return parseaddr(sender or "")[1].lower()
