"""What ids, tokens and random codes mean, so that two databases can be compared.

Nothing is masked unseen: a token is replaced only if it is the right one, a code only
if it leads to a link, an id only if it is that of the recipient's own trace or mail.
What is wrong stays as it is, and shows.
"""

import hashlib
import hmac
import re
from urllib.parse import parse_qs

LINK = re.compile(r"/r/(\w+)(?:/m/(\d+))?")
PIXEL = re.compile(r"/mail/track/(\d+)/(\w+)/blank\.gif")
LEAVE = re.compile(r"/mailing/(\d+)/(\w+)\?([^\s\"'<>\]]*?hash_token=)(\w+)")
NAMESPACES = re.compile(r'(?<=<html)(?: xmlns(?::\w+)?="[^"]*")+')
MESSAGE_ID = re.compile(r"<\d+\.\d+\.\d+(?=-openerp-[^>]+>)")


class Meanings:
    """Replaces ids in texts with what they stand for in one database.

    :param data: see `collect.collect`
    """

    def __init__(self, data):
        self.name = data["name"]
        self.secret = data["secret"]
        rows = {name: model["rows"] for name, model in data["models"].items()}
        links = rows.get("link.tracker", {})
        self.links = {
            code["code"]: f"{link['url']} ({link['label'] or ''})"
            for code in rows.get("link.tracker.code", {}).values()
            if (link := links.get(str(code["link_id"])))
        }
        self.traces = {
            (trace["mass_mailing_id"], trace["res_id"]): trace
            for trace in rows.get("mailing.trace", {}).values()
        }

    def text(self, text, subject=None):
        """The text with every id, token and code of this database replaced.

        :param subject: (mailing id, record id) of the recipient whose text it is
        """
        text = LINK.sub(lambda match: self._link(match, subject), text)
        text = PIXEL.sub(lambda match: self._pixel(match, subject), text)
        text = LEAVE.sub(self._leave, text)
        # Odoo writes them in the order of a Python set, another one in each process.
        text = NAMESPACES.sub(lambda match: " ".join(sorted(match[0].split())), text)
        return MESSAGE_ID.sub("<[random]", text)

    def _link(self, match, subject):
        code, trace_id = match.groups()
        if code not in self.links:
            return match[0]
        found = f"/r/[{self.links[code]}]"
        if trace_id:
            trace = self.traces.get(subject, {})
            own = str(trace.get("id")) == trace_id
            found += "/m/[its trace]" if own else f"/m/{trace_id}"
        return found

    def _pixel(self, match, subject):
        mail_id, token = match.groups()
        trace = self.traces.get(subject, {})
        expected = self._hmac(
            repr(("mass_mailing-mail_mail-open", int(mail_id))), hashlib.sha256
        )
        if str(trace.get("mail_mail_id_int")) != mail_id or token != expected:
            return match[0]
        return "/mail/track/[its mail]/[token]/blank.gif"

    def _leave(self, match):
        mailing_id, page, query, token = match.groups()
        # In HTML it is escaped.
        values = parse_qs(query.replace("&amp;", "&"))
        try:
            content = (
                self.name,
                int(mailing_id),
                int(values["document_id"][0]),
                values["email"][0],
            )
        except (KeyError, ValueError):
            return match[0]
        if token != self._hmac(repr(content), hashlib.sha512):
            return match[0]
        return f"/mailing/{mailing_id}/{page}?{query}[token]"

    def _hmac(self, content, algorithm):
        return hmac.new(self.secret.encode(), content.encode(), algorithm).hexdigest()
