"""Which web addresses the server asks while a mailing is sent, and how often."""

from . import campaigns, sending
from .support.api import serving

PAGE = "GET /page"
HIDDEN = "GET /hidden"


def press_send(env, step, mailing_id, address):
    """All that Send does in the marketer's own request; two links, one redirected."""
    mailing = env["mailing.mailing"].browse(mailing_id)
    mailing.body_html = (
        f'<p><a href="{address}/page">see</a> <a href="{address}/moved">move</a></p>'
    )
    mailing.action_launch()


def send_natively(env, step, mailing_id):
    env["ir.config_parameter"].set_param("mass_mailing_queue.enabled", "False")
    env["mailing.mailing"].browse(mailing_id).copy()._action_send_mail()
    return env["link.tracker"].search([]).mapped("title")


def test_a_link_is_asked_once_as_natively_and_by_the_fan_out_only(scope):
    """Upstream asks each tracked link for its title; we ask no more, and no sooner.

    It follows redirections and keeps the page's title: whoever may write a mailing can
    have the server read the title of a page that only the server reaches. That is so
    without us, for everybody who may create a tracked link.
    """
    database, _sink, shell, mailing_id = sending.prepare(scope, 6, step=None)
    with serving() as web:
        web.replies = {
            PAGE: (200, b"<title>Page</title>", ("Content-Type", "text/html")),
            "GET /moved": (302, b"", ("Location", f"{web.address}/hidden")),
            HIDDEN: (200, b"<title>Hidden</title>", ("Content-Type", "text/html")),
        }
        shell.run(press_send, mailing_id=mailing_id, address=web.address)
        assert not web.asked(), "the marketer's request waits for nobody's server"
        shell.run(sending.run_jobs)
        assert campaigns.count(database, mailing_id, "sent") == 6
        asked = sorted(web.asked())
        assert asked == sorted([PAGE, "GET /moved", HIDDEN])

        web.requests.clear()
        titles = shell.run(send_natively, mailing_id=mailing_id)
        assert sorted(web.asked()) == asked
        assert titles.count("Hidden") == 2
        # None of these requests has anything of ours in it.
        for _request, headers in web.requests:
            assert not {"Authorization", "Cookie"} & set(headers)
