# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).


class DeliveryStopped(Exception):
    """The mailing stopped sending while its job was under way.

    Raised between two messages when a claim is refused because the mailing was
    paused, cancelled, set back to draft or deleted. Caught by the job, which ends
    normally: its recipients stay waiting for *Resume*.
    """


class DeliveryPostponed(Exception):
    """Nothing can be delivered for a while, through no recipient's fault.

    Raised between two messages when the server cannot be reached or asks to slow
    down, or when a step (a rate limit, say) has no turn to give yet. Caught by the
    job, which postpones itself without spending an attempt.
    """

    def __init__(self, reason, seconds, lasts=None):
        """
        :param str reason: what is being waited for, in words for an operator
        :param float seconds: how long to wait before the next look (seconds, > 0)
        :param float lasts: how long nothing is likely to be accepted, if that is known
            to be longer (seconds)
        """
        super().__init__(reason)
        self.seconds = max(seconds, 0.05)
        self.lasts = max(lasts or 0, self.seconds)


class AccountBroken(Exception):
    """The server or the account refuses to send for us until somebody repairs it.

    Raised by the delivery when the reply says so (a wrong password, a suspended
    account, a sender address that is not allowed). Caught by the job, which has the
    mailing paused and its responsible told.
    """

    def __init__(self, reason, kind="account"):
        """
        :param str reason: the server's words
        :param str kind: of the pause, see ``mailing.mailing._queue_request_pause``
        """
        super().__init__(reason)
        self.kind = kind


class LinksMissing(Exception):
    """Links that all recipients share have no tracker yet.

    Raised while emails are composed, after the content was changed. Caught by the
    composing of a chunk, which has them made in a transaction of its own, so that all
    workers see the same ones, and begins again.
    """

    def __init__(self, vals_list):
        """
        :param list vals_list: of the trackers
        """
        super().__init__(f"{len(vals_list)} links")
        self.vals_list = vals_list
