"""Prometheus' endpoint over HTTP: who gets an answer, and what it says."""

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from . import sending, throttling

TOKEN = "a-token-that-nobody-guesses"
KEY = "mass_mailing_queue.metrics_token"


class Served:
    """A database with five who wait, on a server without anybody to send to them."""

    def __init__(self, scope):
        self.database, self.sink, self.shell, self.mailing = sending.prepare(
            scope, 5, modules=throttling.MODULES
        )
        self.server = scope.server(self.database, cron_threads=0).start()
        self.rpc = self.server.rpc()

    def get(self, authorization=None, **options):
        headers = {"Authorization": authorization} if authorization else {}
        return requests.get(
            f"{self.server.url}/mass_mailing_queue/metrics",
            headers=headers,
            timeout=60,
            **options,
        )

    def figures(self):
        """The samples, by name and labels in the order of their names."""
        answer = self.get(f"Bearer {TOKEN}")
        assert answer.status_code == 200, answer.text
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }


@pytest.fixture(scope="module")
def served(module_scope):
    return Served(module_scope)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer \xe9\xff",
    ],
)
@pytest.mark.parametrize("token", ["", TOKEN])
def test_without_the_token_there_is_no_answer(served, token, authorization):
    """Nor with any, while none is set; nor does a login help."""
    served.rpc.set_parameter(KEY, token)
    if authorization:
        authorization = authorization.encode("latin-1")
    for options in ({}, {"cookies": served.rpc.http.cookies}):
        answer = served.get(authorization, **options)
        assert (answer.status_code, answer.content) == (404, b"")


def test_no_header_that_is_made_up_is_answered(served):
    """Whatever bytes a header can have."""
    served.rpc.set_parameter(KEY, TOKEN)
    texts = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60)

    @settings(max_examples=100)
    @given(texts | texts.map("Bearer {}".format))
    def check(header):
        # What surrounds a value is no part of it.
        answer = served.get(header.strip().encode("latin-1"))
        assert (answer.status_code, answer.content) == (404, b"")

    check()


def test_without_a_token_none_is_right(served):
    """Not the empty one, and not the one that was."""
    served.rpc.set_parameter(KEY, "")
    assert served.get(f"Bearer {TOKEN}").content == b""


def test_every_refusal_compares_the_same(served):
    """Whatever is sent, digests of one length are compared, and by one function."""

    def compared(env, step, token):
        import hmac
        from types import SimpleNamespace
        from unittest.mock import patch

        from odoo.addons.mass_mailing_queue.controllers import metrics

        env["ir.config_parameter"].set_param("mass_mailing_queue.metrics_token", token)
        lengths = []

        def compare(one, other):
            lengths.append((len(one), len(other)))
            return hmac.compare_digest(one, other)

        for sent in (
            "",
            "Bearer",
            "Bearer x",
            f"Bearer {token}",
            f"Bearer {'x' * 999}",
        ):
            request = SimpleNamespace(
                env=env,
                httprequest=SimpleNamespace(headers={"Authorization": sent}),
            )
            with (
                patch.object(metrics, "request", request),
                patch.object(metrics, "hmac", SimpleNamespace(compare_digest=compare)),
            ):
                metrics.Metrics()._is_allowed()
        # The server has the parameter cached.
        env.cr.rollback()
        env.registry.reset_changes()
        return lengths

    for token in ("", TOKEN):
        assert served.shell.run(compared, token=token) == [[32, 32]] * 5


def test_figures(served):
    """Who waits and why, what failed, what is in doubt, what accounts do."""
    served.rpc.set_parameter(KEY, TOKEN)
    mailing = str(served.mailing)
    ids = served.database.column("SELECT id FROM mailing_trace ORDER BY id")
    for number, change in enumerate(
        (
            "queue_held = true",
            "queue_next_attempt = now() AT TIME ZONE 'utc' + interval '1 hour'",
            "trace_status = 'error', failure_type = 'queue_in_doubt'",
            "trace_status = 'error', failure_type = 'mail_email_invalid'",
        )
    ):
        served.database.execute(
            f"UPDATE mailing_trace SET {change} WHERE id = %s", (ids[number],)
        )
    served.database.execute(
        "INSERT INTO mailing_queue_outage (server_ref, since, retry_at, failures) "
        "VALUES (7, now(), now() AT TIME ZONE 'utc' + interval '1 minute', 1), "
        # Only suspected.
        "(8, now(), now() AT TIME ZONE 'utc', 0)"
    )
    figures = served.figures()
    for state in ("held", "deferred", "waiting"):
        assert figures["odoo_mailing_recipients", mailing, state] == 1, state
    assert figures["odoo_mailing_in_doubt", mailing] == 1
    assert figures["odoo_mailing_failures", "mail_email_invalid", mailing] == 1
    assert ("odoo_mailing_failures", "queue_in_doubt", mailing) not in figures
    assert figures["odoo_mailing_sent_per_second", mailing] == 0
    # One that plans and one each that sends.
    assert figures["odoo_mailing_jobs", "pending"] == 6
    assert figures["odoo_mailing_runner_up",] == 0
    # Whatever it is: no scheduled action runs here.
    assert figures["odoo_mailing_heartbeat_seconds",] >= 0
    assert 0 < figures["odoo_mailing_outage_seconds", "7"] <= 60
    assert ("odoo_mailing_outage_seconds", "8") not in figures
    (account,) = served.rpc.search("mailing.provider", [("server_ids", "!=", False)])
    assert figures["odoo_mailing_account_state", str(account), "running"] == 1
    assert figures["odoo_mailing_account_per_second", str(account)] > 0
    assert figures["odoo_mailing_account_wait_seconds", str(account)] == 0
    served.database.execute(
        "UPDATE mailing_provider_state SET rest_reason = 'Quota', "
        "rest_until = EXTRACT(EPOCH FROM now()) + 60 WHERE provider_id = %s",
        (account,),
    )
    served.database.execute(
        "INSERT INTO mailing_queue_alert (kind, state, raised_at) "
        "VALUES ('runner', 'raised', now())"
    )
    figures = served.figures()
    assert 50 < figures["odoo_mailing_account_wait_seconds", str(account)] <= 61
    assert figures["odoo_mailing_alerts", "runner"] == 1
    served.rpc.press("mailing.provider", "action_pause", [account])
    served.rpc.press("mailing.mailing", "action_queue_pause", [served.mailing])
    served.database.execute(
        "UPDATE mailing_trace SET trace_status = 'sent', "
        "sent_datetime = now() AT TIME ZONE 'utc' WHERE id = %s",
        (ids[3],),
    )
    figures = served.figures()
    assert figures["odoo_mailing_account_state", str(account), "paused"] == 1
    assert figures["odoo_mailing_recipients", mailing, "paused"] == 2
    assert figures["odoo_mailing_sent_per_second", mailing] == pytest.approx(1 / 60)
    text = served.get(f"Bearer {TOKEN}").text
    assert "@" not in text, "no addresses"


def test_a_scrape_while_nothing_is_sent(served):
    """Most of the time there is no mailing under way."""
    served.rpc.set_parameter(KEY, TOKEN)
    served.database.execute("UPDATE mailing_mailing SET state = 'done'")
    figures = served.figures()
    assert not any(name == "odoo_mailing_recipients" for name, *_labels in figures)
    assert ("odoo_mailing_heartbeat_seconds",) in figures
