"""What goes wrong while a mailing is composed, in parts and in parallel."""

import contextlib
import http.server
import threading

from . import Seen, native
from .bench import Bench, send_in_step, send_mailing, set_parameter


def worker(bench, res_ids, model, method):
    """A worker that sends to some recipients and waits at a method."""
    return bench.shell.start(
        send_in_step,
        mailing_id=bench.mailing_id,
        res_ids=res_ids,
        model=model,
        method=method,
    )


def abreast(bench, slices, model, method):
    """Two workers come to a method before either goes on."""
    with (
        worker(bench, slices[0], model, method) as first,
        worker(bench, slices[1], model, method) as second,
    ):
        for run in (first, second):
            run.wait_for(method)
        for run in (first, second):
            run.go_on()
        for run in (first, second):
            run.result()


@native("H4")
def small_batch_in_a_job(scope):
    """A job that sends a mailing to few recipients, as queue_job runs it."""
    bench = Bench(scope, 3)
    bench.shell.run(set_parameter, name="mail.mail.force.send.limit", value="100")

    def enqueue(env, step, mailing_id):
        env["mailing.mailing"].browse(mailing_id).with_delay().action_send_mail()

    def requeue(env, step):
        env["queue.job"].search([]).requeue()

    failed = "SELECT count(*) FROM queue_job WHERE state = 'failed'"
    with scope.server(bench.database, workers=2, channels="root:1"):
        bench.shell.run(enqueue, mailing_id=bench.mailing_id)
        bench.database.wait_for(failed)
        traces = bench.traces()
        bench.shell.run(requeue)
        bench.sink.wait_for_messages(2)
        bench.database.wait_for(failed)
    first = max(bench.delivered().values())
    return Seen(
        first > 1 and not traces,
        f"the job failed with {sum(traces.values())} traces of what it had delivered; "
        f"run again, one address has {first} emails",
    )


@native("H5")
def nobody(scope):
    """An empty list of recipients."""
    bench = Bench(scope, 5)
    bench.shell.run(send_mailing, mailing_id=bench.mailing_id, res_ids=[])
    bench.deliver()
    return Seen(
        bench.sink.count() > 0, f"an empty list: {bench.sink.count()} of 5 got it"
    )


@native("H6")
def same_recipients_in_parallel(scope):
    """Two workers with the same recipients look before either has committed."""
    bench = Bench(scope, 10)
    everybody = bench.records()
    abreast(bench, [everybody, everybody], "mailing.mailing", "_get_seen_list")
    traces = sum(bench.traces().values())
    bench.deliver()
    return Seen(
        bench.twice() > 0,
        f"10 recipients, 2 workers: {traces} traces, {bench.sink.count()} emails, "
        f"{bench.twice()} addresses mailed twice",
    )


@native("H7")
def resumed_test(scope):
    """An A/B test of a quarter is set back to draft and sent again."""
    bench = Bench(scope, 40)

    def sample(env, step, mailing_id):
        mailing = env["mailing.mailing"].browse(mailing_id)
        mailing.write({"ab_testing_enabled": True, "ab_testing_pc": 25})

    def draft(env, step, mailing_id):
        env["mailing.mailing"].browse(mailing_id).state = "draft"

    counts = []
    bench.shell.run(sample, mailing_id=bench.mailing_id)
    for _time in range(2):
        bench.shell.run(draft, mailing_id=bench.mailing_id)
        bench.compose()
        bench.deliver()
        counts.append(bench.sink.count())
    return Seen(
        counts[1] > counts[0],
        f"a sample of 10 of 40: {counts[0]} emails, {counts[1]} after sending again",
    )


@native("H16")
def one_row(scope):
    """Two workers compose for different recipients and write the mailing."""
    bench = Bench(scope, 10)
    everybody = bench.records()
    with worker(bench, everybody[:5], "mailing.mailing", "write") as first:
        first.wait_for("write")
        # It has written the row and not committed: the second one waits for it.
        with worker(bench, everybody[5:], "mailing.mailing", "write") as second:
            bench.database.wait_for(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            first.go_on()
            first.result()
            error = second.result()
    return Seen(
        bool(error), f"2 workers, different recipients: the second ended with {error}"
    )


@native("H17")
def one_link(scope):
    """Two workers compose for different recipients with one link in common."""
    bench = Bench(scope, 10)
    everybody = bench.records()
    with page() as (url, requests):

        def link(env, step, mailing_id, url):
            body = f'<p><a href="{url}">see</a></p>'
            env["mailing.mailing"].browse(mailing_id).body_html = body

        bench.shell.run(link, mailing_id=bench.mailing_id, url=url)
        abreast(bench, [everybody[:5], everybody[5:]], "link.tracker", "create")
        fetched = len(requests)
    links = bench.database.value("SELECT count(*) FROM link_tracker")
    return Seen(
        links > 1, f"one link, 2 workers: {links} tracked links, {fetched} page fetches"
    )


@contextlib.contextmanager
def page():
    """A web page, and the requests for it."""
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>Offer</title>")

        def log_message(self, *_args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/offer", requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
