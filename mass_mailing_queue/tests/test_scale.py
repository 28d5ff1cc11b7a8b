# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import threading
from unittest.mock import patch

from odoo.tests import tagged

from .. import (
    sql,
    sql_addresses,
    sql_people,
    sql_plan,
    sql_repair,
    sql_spellings,
)
from ..ledger import Ledger
from ..replies import Reply, Verdict
from .common import QueueCase

TABLES = (
    "mailing_contact",
    "mailing_subscription",
    "mail_blacklist",
    "mailing_trace",
)


class Explaining:
    """A cursor that has PostgreSQL explain the statements instead of running them."""

    rowcount = 0

    def __init__(self, cr):
        self._cr = cr
        self.plan = ""

    def execute(self, statement, params=None):
        """Keep the plan of the statement."""
        self._cr.execute(f"EXPLAIN {statement}", params)
        self.plan += "\n".join(line for (line,) in self._cr.fetchall())

    def fetchone(self):
        return (0, 0)

    def fetchall(self):
        return []


@tagged("-at_install", "post_install")
class TestScale(QueueCase):
    """What a slice or a chunk costs does not depend on the size of the audience."""

    def _cost(self, function, *args):
        """Return (statements, rows read and written) of a call."""
        self.env.flush_all()
        self.env.invalidate_all()
        rows = []

        def count(cr, *_statement):
            rows.append(max(cr._obj.rowcount, 0))

        thread = threading.current_thread()
        with patch.object(thread, "query_hooks", (count,), create=True):
            function(*args)
            self.env.flush_all()
        return len(rows), sum(rows)

    def _crowd(self, mailing, size):
        """Enlarge the audience: opt-outs, a blacklist, and traces of the mailing."""
        contacts = self._contacts(*[f"crowd{n}@example.com" for n in range(size)])
        contacts[::3].subscription_ids.opt_out = True
        self.env["mail.blacklist"].create(
            [{"email": f"black{n}@example.com"} for n in range(size)]
        )
        mailing._queue_plan_traces(contacts.ids, with_jobs=False)

    def test_h20_h21_planning_reads_its_own_slice_only(self):
        """H20, H21: the lists, the blacklist and earlier traces are not read whole."""
        self._contacts(*[f"c{number}@example.com" for number in range(40)])
        mailing = self._mailing()
        mailing.action_launch()
        slice_size = patch("odoo.addons.mass_mailing_queue.slicing.SLICE_SIZE", 10)
        with slice_size, Ledger(self.env) as ledger:
            # The first one begins the mailing.
            mailing._queue_plan_slice(ledger)
            small = self._cost(mailing._queue_plan_slice, ledger)
            self._crowd(mailing, 200)
            large = self._cost(mailing._queue_plan_slice, ledger)
        self.assertEqual(small, large)

    def test_h20_h21_composing_reads_its_own_chunk_only(self):
        """H20, H21: nor are they when the emails are made."""
        self._contacts(*[f"c{number}@example.com" for number in range(15)])
        mailing = self._mailing()
        mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        trace_ids = self._traces(mailing).ids
        mailing._queue_compose_chunk(trace_ids[:5])
        small = self._cost(mailing._queue_compose_chunk, trace_ids[5:10])
        self._crowd(mailing, 200)
        large = self._cost(mailing._queue_compose_chunk, trace_ids[10:])
        self.assertEqual(small, large)

    def test_h23_settling_takes_as_many_statements_for_any_chunk(self):
        """H23: mails and what hangs on them are deleted together, not one by one."""
        self._contacts(*[f"c{number}@example.com" for number in range(24)])
        mailing = self._mailing()
        mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        traces = self._traces(mailing)
        costs = []
        # The first one warms caches.
        for chunk in (traces[:2], traces[2:4], traces[4:]):
            routes = mailing._queue_compose_chunk(chunk.ids)
            outcomes = {
                parcel.mail_id: Reply(Verdict.SENT)
                for route in routes
                for parcel in route.parcels
            }
            self.assertEqual(len(outcomes), len(chunk))
            costs.append(self._cost(mailing._queue_settle, routes, outcomes)[0])
            self.assertFalse(chunk.mail_mail_id)
        self.assertEqual(costs[1], costs[2])

    def test_h22_every_look_up_has_an_index(self):
        """H22: with tables of some size, PostgreSQL reads none of them whole."""
        self._contacts("a@example.com")
        mailing = self._mailing()
        mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        trace = self._traces(mailing)
        self._fill_tables(mailing.id)
        emails = ["a@example.com", "b@example.com"]
        model, lists = "mailing.contact", self.list.ids
        by_message_id = (
            self.env["mailing.trace"]
            ._search([("message_id", "in", ["<1@x>"])])
            .select()
        )
        # Either of two has them: the planner's choice.
        waiting = "trace_queue_(open|progress)_idx"
        for index, statement, *args in (
            (
                "trace_queue_res_idx",
                sql_plan.traced_records,
                [mailing.id],
                model,
                [1, 2],
            ),
            (
                "trace_queue_email_idx",
                sql_addresses.seen_emails,
                mailing.id,
                None,
                emails,
            ),
            (
                "trace_queue_emails_idx",
                sql_addresses.holders,
                mailing.id,
                None,
                emails,
                [trace.id],
            ),
            ("contact_queue_email_idx", sql_plan.opted_out, lists, emails),
            ("blacklist_unique_email", sql_plan.blacklisted, emails),
            *(
                (f"{table}_queue_skeleton_idx", statement, table, *arguments)
                for table in sql_spellings.COLUMNS
                for statement, *arguments in (
                    (sql_spellings.find_spellings, emails),
                    (sql_spellings.unusual,),
                )
            ),
            (waiting, sql.is_open, mailing.id),
            (waiting, sql_plan.orphans, mailing.id, 500),
            (waiting, sql_people.cancel_outgoing, mailing.id, 50),
            ("trace_queue_open_idx", sql_repair.claims),
            ("trace_pkey", sql.due_traces, trace.ids),
            ("trace_pkey", sql.claim, trace.id, 1, "node:1", "<id>", 1, lists),
            ("contact_queue_email_idx", sql.claim, trace.id, 1, "", "", 1, lists),
            ("trace_queue_message_idx", self._run, by_message_id),
        ):
            with self.subTest(statement=statement.__name__):
                cr = Explaining(self.cr)
                statement(cr, *args)
                self.assertRegex(cr.plan, index)
                for table in TABLES:
                    self.assertNotIn(f"Seq Scan on {table}", cr.plan)

    @staticmethod
    def _run(cr, statement):
        cr.execute(statement.code, statement.params)

    def _fill_tables(self, mailing_id):
        """Add 20,000 recipients to the mailing, most of whom have the email."""
        self.env.flush_all()
        self.cr.execute(
            """
            WITH contact AS (
                INSERT INTO mailing_contact (name, email, email_normalized)
                     SELECT 'x', address, address
                       FROM (SELECT 'x' || n || '@example.com' AS address
                               FROM generate_series(1, 20000) n) made
                  RETURNING id, email),
            subscription AS (
                INSERT INTO mailing_subscription (contact_id, list_id)
                     SELECT id, %(list)s FROM contact),
            blacklist AS (
                INSERT INTO mail_blacklist (email, active)
                     SELECT email, true FROM contact)
            INSERT INTO mailing_trace (mass_mailing_id, model, res_id, email,
                                       message_id, trace_type, trace_status,
                                       queue_planned)
                 SELECT %(mailing)s, 'mailing.contact', id, email,
                        '<' || id || '@x>', 'mail',
                        CASE id %% 99 WHEN 0 THEN 'outgoing' ELSE 'sent' END, true
                   FROM contact
            """,
            {"mailing": mailing_id, "list": self.list.id},
        )
        for table in TABLES:
            self.cr.execute(f"ANALYZE {table}")
