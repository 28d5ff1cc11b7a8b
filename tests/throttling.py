"""What the suites of the limits share: an account, campaigns, a look at the clock."""

from bisect import bisect_left

from . import campaigns

MODULES = ("mass_mailing_queue_throttle",)

#: No limit that this machine could reach (messages a second).
UNLIMITED = 100_000


class Bench:
    """One database, one server and one account, for campaigns one after the other.

    :param scope: see `support.workspace.Scope`
    :param recipients: on the list that campaigns are sent to
    :param job_size: recipients a job, 0 for automatic
    """

    modules = MODULES

    def __init__(self, scope, recipients, job_size=0, workers=10, slots=8, **server):
        self.sink = scope.sink().start()
        self.database = scope.database(self.modules)
        shell = scope.shell(self.database)
        self.draft = shell.run(
            campaigns.build, recipients=recipients, port=self.sink.port
        )
        self.server = scope.server(
            self.database,
            workers=workers,
            channels=f"root:{slots + 1},root.mail:{slots}",
            **server,
        ).start()
        self.rpc = self.server.rpc()
        if job_size:
            self.rpc.set_parameter("mass_mailing_queue.job_size", str(job_size))
        self.reconciler = self.rpc.reference(
            "mass_mailing_queue.ir_cron_queue_reconcile"
        )
        self.account = None
        if self.modules == MODULES:
            (self.account,) = self.rpc.search(
                "mailing.provider", [("server_ids", "!=", False)]
            )

    def set(self, **values):
        """Change the account as a person does, on its form."""
        self.rpc.save("mailing.provider", values, self.account)

    def limit(self, amount, period="second"):
        """Make this the account's only limit, without a margin."""
        self.set(
            margin=0,
            limit_ids=[
                (5, 0, 0),
                (0, 0, {"amount": amount, "period": period, "unit": "message"}),
            ],
        )

    def launch(self):
        """Press Send on a new copy of the campaign, return its id."""
        mailing = self.rpc.call("mailing.mailing", "copy", [[self.draft]])
        mailing = mailing[0] if isinstance(mailing, list) else mailing
        self.rpc.press("mailing.mailing", "action_launch", [mailing])
        return mailing

    def cancel(self, mailing):
        """Cancel what is left, and wait until it is done."""
        self.rpc.press("mailing.mailing", "action_queue_cancel", [mailing])
        campaigns.wait_until_done(self.database, mailing)

    def finish(self, *mailings):
        for mailing in mailings:
            campaigns.wait_until_done(self.database, mailing)

    def arrivals(self, since=0):
        """When messages were accepted, by the server's clock, in order.

        :param since: how many earlier ones to leave out
        """
        return sorted(message.at for message in self.sink.messages())[since:]

    def state(self, *columns):
        """Columns of the account's live state."""
        names = ", ".join(columns)
        return self.database.query(
            f"SELECT {names} FROM mailing_provider_state WHERE provider_id = %s",
            (self.account,),
        )[0]


def rate(arrivals):
    """Messages a second from the first arrival to the last."""
    return (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])


def busiest(arrivals, window):
    """The most messages that arrived in any window of so many seconds."""
    return max(
        bisect_left(arrivals, begin + window) - number
        for number, begin in enumerate(arrivals)
    )


def within(arrivals, begin, end):
    """How many messages arrived from `begin` until `end`."""
    return bisect_left(arrivals, end) - bisect_left(arrivals, begin)
