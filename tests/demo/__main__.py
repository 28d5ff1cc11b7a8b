"""Send a campaign with a real Odoo to a real SMTP server, and check every message."""

import argparse
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from tests.support import ledger
from tests.support.process import free_port
from tests.support.workspace import Workspace

from .campaign import Campaign
from .watch import Stalled, Watch

BUILD = Path(__file__).resolve().parents[2] / "build" / "demo"
MODULES = ("mass_mailing_queue", "mass_mailing_themes")

# Jobs run in HTTP workers: these are left for people while all others send, and for
# the runner's requests.
SPARE_WORKERS = 2
SERVE_PORT = 8069
SERVE_SECONDS = 5

# Ctrl-C, a supervisor, a terminal that is closed.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments=None):
    options = parse(arguments)
    for number in SIGNALS:
        signal.signal(number, interrupt)
    workspace = Workspace(options.folder, durable=True)
    try:
        with workspace, workspace.scope() as scope:
            return run(scope, options)
    except KeyboardInterrupt:
        say("interrupted; all that was started is stopped")
        return 130
    except Stalled as error:
        say(f"failed: {error}\n  logs: {workspace.run}")
        return 1
    except Exception:
        say(f"failed; logs: {workspace.run}")
        raise


def interrupt(*_arguments):
    """Stop everything, once: another Ctrl-C must not interrupt the stopping."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def parse(arguments):
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    parser.add_argument("--recipients", type=positive, default=10_000)
    parser.add_argument("--workers", type=positive, default=4, help="that send at once")
    parser.add_argument(
        "--job-size", type=positive, help="recipients a job; default: the addon's own"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=BUILD,
        help="of its database; default: %(default)s",
    )
    parser.add_argument(
        "--serve", action="store_true", help="prepare it, send nothing, and wait"
    )
    return parser.parse_args(arguments)


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def run(scope, options):
    """Do all of it; returns the exit code."""
    server, sink, campaign = prepare(scope, options)
    if options.serve:
        return serve(server, sink)
    watch = Watch(
        server.database, server, campaign.mailing_id, total=options.recipients
    )
    say("pressing Send")
    start = time.monotonic()
    campaign.send()
    watch.until_done()
    seconds = time.monotonic() - start
    verdict = ledger.compare(
        sink, server.database, campaign.mailing_id, campaign.recipients()
    )
    say(str(verdict))
    say(smtp_line(sink, server))
    line = (
        f"{verdict.summary()} seconds={seconds:.1f} rate={verdict.sent / seconds:.1f}"
    )
    if options.job_size:
        line += f" jobs={watch.send_jobs()}"
    say(line)
    return 0 if verdict.flawless else 1


def prepare(scope, options):
    """Everything up to the button: server, sink, contacts, mailing."""
    environment = scope.workspace.environment
    say(
        f"Odoo {environment.odoo_version}, queue_job {environment.queue_job_version}; "
        f"logs: {scope.workspace.run}"
    )
    say("preparing a database: half a minute the first time, then a copy")
    database = scope.database(MODULES)
    sink = scope.sink(peers=True).start()
    server = scope.server(
        database,
        port=free_port(SERVE_PORT),
        workers=options.workers + SPARE_WORKERS,
        channels=f"root:{options.workers},root.mail:{options.workers}",
    ).start()
    say(f"{options.workers} workers to send, {SPARE_WORKERS} more for people")
    campaign = Campaign(server.rpc())
    campaign.set_mail_server(sink.host, sink.port)
    if options.job_size:
        campaign.set_job_size(options.job_size)
    campaign.import_contacts(scope.place("contacts"), options.recipients)
    say(f"the mailing: {campaign.design()}")
    return server, sink, campaign


def serve(server, sink):
    """Leave it to a person until Ctrl-C."""
    say(
        f"open {server.url}/odoo/email-marketing, log in as admin with password admin, "
        "press Send; Ctrl-C ends it"
    )
    arrived = 0
    while server.running:
        time.sleep(SERVE_SECONDS)
        if sink.count() != arrived:
            arrived = sink.count()
            say(f"{arrived} messages arrived")
    raise Stalled(f"the server is gone; its log ends:\n{server.tail()}")


def smtp_line(sink, server):
    """Connections and logins of each process that sent."""
    pids, connections, logins = {}, Counter(), Counter()
    for row in sink.sessions():
        if row["event"] == "connection":
            pids[row["connection"]] = row["pid"]
            connections[row["pid"]] += 1
        elif row["event"] == "login" and row["accepted"]:
            logins[pids[row["connection"]]] += 1
    each = ", ".join(
        f"process {pid}: {count} and {logins[pid]}"
        for pid, count in sorted(connections.items(), key=str)
    )
    return (
        f"smtp: connections={connections.total()} logins={logins.total()} "
        f"(connections and logins of {each or 'nobody'})"
    )


def say(text):
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
