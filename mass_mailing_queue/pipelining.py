# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""MAIL, RCPT and DATA in one piece, for servers that offer it. Free of Odoo.

``smtplib`` waits for the answer to each command: four times to the server and back for
an email. With PIPELINING (RFC 2920), which most servers offer, it is twice.
"""

import smtplib


class Pipeline:
    """Sends ahead of ``smtplib`` what it is going to send.

    Answers are read by ``smtplib`` itself, command by command, and mean the same. When
    it goes another way, as after a refusal, what was sent ahead is answered for first.
    """

    def __init__(self, connection):
        """
        :param connection: an ``smtplib.SMTP`` that has said EHLO; two of its methods
            are wrapped
        """
        self._connection = connection
        self._sendmail, self._putcmd = connection.sendmail, connection.putcmd
        #: What follows the next MAIL, and what was sent and is not asked for yet.
        self._following, self._ahead = [], []
        connection.sendmail, connection.putcmd = self._watch_sendmail, self._send_ahead

    def _watch_sendmail(
        self, from_addr, to_addrs, msg, mail_options=(), rcpt_options=()
    ):
        """Learn whom the next message is for."""
        addresses = [to_addrs] if isinstance(to_addrs, str) else to_addrs
        options = "".join(f" {option}" for option in rcpt_options)
        self._following = [
            *(f"rcpt TO:{smtplib.quoteaddr(one)}{options}" for one in addresses),
            "data",
        ]
        try:
            return self._sendmail(from_addr, to_addrs, msg, mail_options, rcpt_options)
        finally:
            self._following = []

    def _send_ahead(self, cmd, args=""):
        """Send a command, with those that follow it; or nothing, if that is done."""
        line = f"{cmd} {args}" if args else cmd
        if self._ahead and self._ahead[0] == line:
            del self._ahead[0]
            return
        self._answer_for_ahead()
        lines = [line, *self._following]
        if cmd != "mail" or any(set("\r\n") & set(one) for one in lines):
            self._putcmd(cmd, args)
            return
        self._connection.send("".join(f"{one}\r\n" for one in lines))
        self._ahead, self._following = self._following, []

    def _answer_for_ahead(self):
        """Read the answers to what was sent in vain."""
        ahead, self._ahead = self._ahead, []
        # smtplib has closed the connection: nobody answers any more.
        for line in ahead if self._connection.sock else ():
            code, _text = self._connection.getreply()
            if line == "data" and code == 354:
                # It waits for a message. An empty one would end that (RFC 2920, 3.1),
                # and reach whoever it has accepted, though smtplib goes by 250 and 251
                # only. Of a connection that ends, nobody gets anything.
                self._connection.close()
