# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Quotas as the providers' own interfaces tell them. Free of Odoo.

:data:`READERS` has a reader for each kind of provider that can be asked. It is there to
be extended: an addon adds a callable that takes :class:`Credentials`, and returns a
:class:`Quota` or raises :class:`QuotaError` with a sentence for people::

    from odoo.addons.mass_mailing_queue_throttle import quotas


    def read_quota(credentials):
        endpoint = quotas.check_endpoint(credentials.endpoint)
        answer = acme.limits(endpoint or acme.HOME, credentials.secret, timeout=10)
        if answer is None:
            raise quotas.QuotaError("Acme did not answer: try again in a minute.")
        return quotas.Quota(
            rate=quotas.check_figure("Acme", "hourly quota", answer["hour"]) / 3600,
            unit="message",
        )


    quotas.READERS["acme"] = read_quota

A reader is called from a job: it must come to an end by itself within two minutes, and
may neither log its credentials nor keep them.
"""

from .base import (
    Credentials,
    Quota,
    QuotaError,
    Reader,
    check_endpoint,
    check_figure,
    check_key,
)
from . import sendgrid
from . import ses

#: What asks each kind of provider, by the name that is stored for it.
READERS: dict[str, Reader] = {
    "ses": ses.read_quota,
    "sendgrid": sendgrid.read_quota,
}
