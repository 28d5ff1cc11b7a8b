# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import math

from odoo import models
from odoo.tools import SQL, email_split

from .. import sql_plan, sql_screens, sql_spellings
from ..addresses import clean, mailable

#: Up to this many records each one is looked at before Send; of more, whole addresses
#: are drawn until about :data:`SAMPLE` are.
EXACT_UP_TO = 100_000
SAMPLE = 50_000

#: Emails that a campaign must have sent for its rate to tell how long another takes.
TELLING_SIZE = 1_000


class MailingMailing(models.Model):
    """Whom a mailing would reach, counted without loading anybody."""

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    def _queue_count_audience(self):
        """Return whom the mailing would reach if it were sent now.

        Among the records that the user may see: the answer must not tell what their
        rights would not. The planner decides later, about each recipient.

        :return: dict of numbers: ``audience``, ``recipients``, and those left out:
            ``reached`` (before), ``blacklisted``, ``opted_out``, ``duplicates``,
            ``invalid``; ``estimated``: whether a sample stands for all; ``judged``:
            whether those left out are known at all
        """
        self.ensure_one()
        mailing = self._queue_for_user()
        model = mailing.env[self.mailing_model_real]
        domain = mailing._get_recipients_domain()
        audience = model.search_count(domain)
        result = dict.fromkeys(
            ("reached", "blacklisted", "opted_out", "duplicates", "invalid"), 0
        )
        result.update(
            audience=audience,
            recipients=audience,
            estimated=False,
            judged=self._queue_can_judge(model),
        )
        if result["judged"]:
            parts = 1 if audience <= EXACT_UP_TO else math.ceil(audience / SAMPLE)
            counts = self._queue_judge_audience(model, domain, parts)
            result["estimated"] = parts > 1
            result["recipients"] = counts.pop(None, 0)
            result.update(counts)
        return self._queue_narrow_to_test(result)

    def _queue_can_judge(self, model):
        """Return whether the addresses of a model are where SQL can count them."""
        field = model._fields.get("email_normalized")
        return bool(field and field.store)

    def _queue_judge_audience(self, model, domain, parts):
        query = model._search(domain)
        mailings = self
        if self.ab_testing_enabled and self.ab_testing_is_winner_mailing:
            mailings |= self._get_ab_testing_siblings_mailings()
        self.env.flush_all()
        records = query.select(
            SQL("%s AS id", model._field_to_sql(query.table, "id", query)),
            SQL(
                "%s AS email",
                model._field_to_sql(query.table, "email_normalized", query),
            ),
            SQL("%s AS written", self._queue_written_address(model, query)),
        )
        lists = self.contact_list_ids.ids if self.mailing_on_mailing_list else []
        unusual = {
            record_id: self._queue_find_mailed(email, written)
            for record_id, email, written in sql_screens.unusual_audience(
                self.env.cr, records, parts
            )
        }
        return sql_screens.audience(
            self.env.cr,
            records,
            mailings.ids,
            self.mailing_model_real,
            lists,
            self.use_exclusion_list,
            parts,
            unusual,
            *self._queue_exclude_spellings(lists, set(unusual.values())),
        )

    def _queue_written_address(self, model, query):
        """Return the column that the normalized address is taken from, if it is one."""
        field = model._mail_get_primary_email_field()
        if not (field and model._fields[field].store):
            field = "email_normalized"
        return model._field_to_sql(query.table, field, query)

    def _queue_find_mailed(self, email, written):
        """Return the address that would be mailed, as the composer judges it.

        :param str email: normalized
        :param str written: what that is of; it may have others behind it
        """
        emails = [clean(one) for one in email_split(written) or [email]]
        return next(filter(mailable, emails), emails[0])

    def _queue_exclude_spellings(self, lists, emails):
        """Return which cleaned addresses are excluded by another spelling of them.

        :param list lists: ids of the mailing lists whose opt-outs count
        :param set emails: of the audience, those that are unusual
        :return: list of those that are blacklisted, list of those that opted out
        """
        cr, excluded = self.env.cr, []
        for table, ask in (
            ("mail_blacklist", sql_plan.blacklisted),
            (
                "mailing_contact",
                lambda cr, emails: sql_plan.opted_out(cr, lists, emails),
            ),
        ):
            found = sql_spellings.find_spellings(cr, table, emails)
            found.update((one, clean(one)) for one in sql_spellings.unusual(cr, table))
            excluded.append([found[one] for one in ask(cr, found)])
        return excluded

    def _queue_narrow_to_test(self, result):
        """Take the share of an A/B test: who is drawn is not known yet."""
        if not self._queue_is_sampled():
            return result
        share = self.ab_testing_pc / 100
        for name, count in result.items():
            if not isinstance(count, bool):
                result[name] = max(int(count * share), min(count, 1))
        result["estimated"] = True
        return result

    def _queue_expected_seconds(self, recipients):
        """Return how long so many recipients take, ``False`` if nobody knows.

        Extension point. Here: as long as the last large campaign took for as many.
        """
        rate = sql_screens.usual_rate(self.env.cr, TELLING_SIZE)
        return recipients / rate if rate else False

    def _queue_describe_server(self):
        """Return through what the mailing leaves, in words. Extension point."""
        return self._queue_find_server().name or self.env._(
            "the mail server of Odoo's configuration file"
        )

    def _queue_obstacle(self):
        """Return what would keep it from being sent as expected. Extension point."""
        if not self._queue_runner_is_present():
            return self.env._("No job runner: sent slowly, by the scheduled action.")
        return False

    def _queue_ask_to_send(self):
        """Return the dialog that says whom *Send* would reach, and asks.

        What nobody could get is refused before.
        """
        self.ensure_one()
        self.check_access("write")
        self._queue_check_content()
        wizard = self.env["mailing.queue.send"].create({"mailing_id": self.id})
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Ready to send?"),
            "res_model": wizard._name,
            "res_id": wizard.id,
            "views": [(False, "form")],
            "target": "new",
            "context": {"dialog_size": "medium"},
        }
