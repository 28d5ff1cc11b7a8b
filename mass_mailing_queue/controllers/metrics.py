# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import hashlib
import hmac
import secrets

from odoo import http
from odoo.http import request

try:
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry
    from prometheus_client.core import GaugeMetricFamily
    from prometheus_client.exposition import generate_latest
except ImportError:
    CollectorRegistry = None


class _Gauges:
    """What Prometheus asks at a scrape, from the rows of ``mailing.queue.metrics``."""

    def __init__(self, rows):
        self._rows = rows

    def collect(self):
        for name, text, labels, samples in self._rows:
            family = GaugeMetricFamily(name, text, labels=labels)
            for values, number in samples:
                family.add_metric([str(value) for value in values], number)
            yield family


class Metrics(http.Controller):
    @http.route(
        "/mass_mailing_queue/metrics",
        type="http",
        auth="none",
        methods=["GET"],
        save_session=False,
    )
    def metrics(self):
        """Return the figures, to whoever has the token of the settings.

        Others get an empty answer that says nothing, whether there is a token or not.
        """
        if not self._is_allowed():
            return request.make_response("", status=404)
        if CollectorRegistry is None:
            return request.make_response(
                "The Python package prometheus_client is not installed.", status=501
            )
        registry = CollectorRegistry()
        rows = request.env["mailing.queue.metrics"].sudo()._collect()
        registry.register(_Gauges(rows))
        return request.make_response(
            generate_latest(registry), [("Content-Type", CONTENT_TYPE_LATEST)]
        )

    def _is_allowed(self):
        """Return whether the token was sent, in the same time whatever was sent."""
        # The endpoint has no user; the parameter is for administrators.
        token = (
            request.env["ir.config_parameter"]
            .sudo()
            .get_param("mass_mailing_queue.metrics_token", "")
        )
        kind, _space, sent = request.httprequest.headers.get(
            "Authorization", ""
        ).partition(" ")
        # Of one length: comparing texts of different lengths ends early.
        expected, given = (
            hashlib.sha256(text.encode(errors="replace")).digest()
            for text in (token or secrets.token_hex(), sent)
        )
        known = hmac.compare_digest(expected, given)
        return known and bool(token) and kind.lower() == "bearer"
