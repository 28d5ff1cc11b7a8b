"""Which web addresses the server asks while a mailing is sent, and how often."""

from contextlib import ExitStack

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


def edit(env, step, mailing_id, body):
    """Put other content in, while the mailing is paused."""
    mailing = env["mailing.mailing"].browse(mailing_id)
    mailing.action_queue_pause()
    mailing.body_html = body
    mailing.action_queue_resume()


def compose_part(env, step, mailing_id, part, parts):
    """Compose for some of the recipients, as a job does, all workers at once."""
    mailing = env["mailing.mailing"].browse(mailing_id)
    trace_ids = mailing.mailing_trace_ids.ids[part::parts]
    step("ready")
    _routes, failures = mailing._queue_try_compose(trace_ids)
    return {str(key): repr(error) for key, error in failures.items()}


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


def test_a_page_of_one_recipient_is_never_asked_and_a_common_one_once(scope):
    """H33: whatever links are called; to open a recipient's own may mean yes."""
    database, _sink, shell, mailing_id = sending.prepare(scope, 6, step=None)
    with serving() as web:
        body = f"""<p><a href="{web.address}/page">see</a>
            <a href="{web.address}/page">look</a>
            <a href="{web.address}/page">for <t t-out="object.name"/></a>
            <a href="{web.address}/page"><t t-out="object.name"/></a>
            <a t-attf-href="{web.address}/yes/{{{{ object.id }}}}">yes</a>
            <a t-att-href="'{web.address}/no/' + object.email">no</a></p>"""
        shell.run(edit_draft, mailing_id=mailing_id, body=body)
        shell.run(sending.run_jobs)
        assert campaigns.count(database, mailing_id, "sent") == 6
        assert web.asked() == [PAGE]
    query = "SELECT count(*) FROM link_tracker WHERE url LIKE %s"
    for place, number in (("/page", 14), ("/yes/%", 6), ("/no/%", 6)):
        assert database.query(query, (f"%{place}",)) == [(number,)], place


def edit_draft(env, step, mailing_id, body):
    """Write the content and send it."""
    mailing = env["mailing.mailing"].browse(mailing_id)
    mailing.body_html = body
    mailing.action_launch()


def test_links_of_an_edit_are_made_once_by_however_many_workers(scope):
    """H17: workers that begin together after the content was changed share them."""
    database, _sink, shell, mailing_id = sending.prepare(scope, 12)
    workers = 4
    with serving() as web:
        web.replies = {
            f"GET /{name}": (200, b"<title>x</title>", ("Content-Type", "text/html"))
            for name in ("one", "two")
        }
        body = f"""<p><a href="{web.address}/one">1</a>
            <t t-if="object.id % 2"><a href="{web.address}/two">2</a></t></p>"""
        shell.run(edit, mailing_id=mailing_id, body=body)
        assert not web.asked()
        with ExitStack() as stack:
            runs = [
                stack.enter_context(
                    shell.start(
                        compose_part, mailing_id=mailing_id, part=part, parts=workers
                    )
                )
                for part in range(workers)
            ]
            for run in runs:
                run.wait_for("ready")
            for run in runs:
                run.go_on()
            for run in runs:
                assert run.result() == {}
        assert sorted(web.asked()) == ["GET /one", "GET /two"]
    links = database.query(
        "SELECT url, count(*) FROM link_tracker WHERE url LIKE %s GROUP BY url",
        (f"{web.address}%",),
    )
    assert sorted(links) == [(f"{web.address}/{name}", 1) for name in ("one", "two")]
    mails = "SELECT count(*) FROM mail_mail WHERE queue_managed AND body_html LIKE %s"
    assert database.query(mails, ("%/r/%",)) == [(12,)]
