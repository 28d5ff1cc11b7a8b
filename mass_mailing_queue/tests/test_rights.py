# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from markupsafe import Markup

from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import new_test_user, tagged

from .common import QueueCase

#: Placeholders that take more than a marketer may use, by the field they are in.
FORBIDDEN = [
    ("subject", "{{ object.email }}"),
    ("subject", "{{ env['res.users'].search([]).mapped('login') }}"),
    ("preview", "{{ object.env.user.login }}"),
    ("email_from", "{{ object.email }}"),
    ("reply_to", "{{ object.email }}"),
    ("body_html", '<p><t t-out="object.email"/></p>'),
    ("body_html", '<p t-out="env.user.sudo().login"/>'),
    ("body_html", '<p><t t-if="object.name">x</t></p>'),
    ("body_html", '<p t-attf-title="#{object.email}">x</p>'),
    ("body_html", '<t t-set="x" t-value="1"/>'),
    ("body_html", '<t t-call="web.layout"/>'),
    ("body_html", '<t t-foreach="object.list_ids" t-as="x"><p/></t>'),
]


@tagged("-at_install", "post_install")
class TestRights(QueueCase):
    """Jobs run as superuser: what a person may not do, they do for nobody."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # "Restrict mail templates edition": not everybody may use all placeholders.
        cls.env.ref("base.group_user").implied_ids -= cls.env.ref(
            "mail.group_mail_template_editor"
        )
        cls.other_company = cls.env["res.company"].create({"name": "Other"})
        cls.partners = cls.env["res.partner"].create(
            [
                {"name": "Ours", "email": "ours@example.com"},
                {
                    "name": "Theirs",
                    "email": "theirs@example.com",
                    "company_id": cls.other_company.id,
                },
                {"name": "Gone", "email": "gone@example.com", "active": False},
            ]
        )

    def _to_partners(self, partners, **values):
        return self._mailing(
            mailing_model_id=self.env.ref("base.model_res_partner").id,
            mailing_domain=repr([("id", "in", partners.ids)]),
            subject="News",
            **values,
        )

    # ------------------------------------------------------------------
    # Who may send, and to whom
    # ------------------------------------------------------------------

    def test_send_tells_nothing_that_the_user_may_not_see(self):
        """A filter is a question; its answer takes the rights of who asks it."""
        theirs = self.partners[1]
        nobody = self._mailing(subject=" ").with_user(self.user)
        answers = set()
        for email in ("theirs@example.com", "nobody@example.com"):
            mailing = self._to_partners(theirs).with_user(self.user)
            mailing.mailing_domain = repr(
                [("id", "=", theirs.id), ("email", "=", email)]
            )
            with self.assertRaises(UserError) as caught:
                (mailing + nobody).action_launch()
            answers.add(str(caught.exception))
        self.assertEqual(len(answers), 1)
        self.assertIn("Nobody", answers.pop())

    def test_who_is_counted_before_send_is_who_the_user_may_see(self):
        """Neither people of another company nor who is archived."""
        mailing = self._to_partners(self.partners).with_user(self.user)
        self.assertEqual(mailing._queue_count_audience()["audience"], 1)
        dialog = mailing.env["mailing.queue.send"].create({"mailing_id": mailing.id})
        self.assertEqual(dialog.recipients, 1)

    def test_all_companies_of_the_user_are_reached(self):
        """The company switcher is for what is shown, as natively."""
        self.user.company_ids += self.other_company
        mailing = self._to_partners(self.partners[1]).with_user(self.user)
        mailing.with_context(allowed_company_ids=self.env.company.ids).action_launch()
        self._run_jobs()
        self.assertEqual(self.sent, ["theirs@example.com"])

    def test_companies_as_natively(self):
        """Once somebody may send, recipients are those of native Odoo."""
        audience = []
        for enabled in ("True", "False"):
            self.env["ir.config_parameter"].set_param(
                "mass_mailing_queue.enabled", enabled
            )
            mailing = self._to_partners(self.partners)
            mailing.with_user(self.user).action_launch()
            self._run_jobs()
            if enabled == "False":
                # What the scheduled action calls, which commits.
                mailing._action_send_mail()
            audience.append(self._traces(mailing).mapped("email"))
        self.assertEqual(audience[0], audience[1])
        self.assertEqual(len(audience[0]), 2)

    def test_the_callers_context_does_not_choose_recipients(self):
        """A list that shows archived records, too, is no reason to mail them."""
        mailing = self._to_partners(self.partners[::2]).with_user(self.user)
        mailing.with_context(active_test=False).action_launch()
        self._run_jobs()
        self.assertEqual(self.sent, ["ours@example.com"])

    def test_the_callers_context_does_nothing_as_superuser(self):
        """What Send tries as superuser knows nothing of the caller's context."""
        self._contacts("a@example.com")
        mailing = self._mailing().with_user(self.user)
        before = self.env["link.tracker"].search_count([])
        mailing.with_context(
            post_convert_links={"mass_mailing_id": False},
            mass_mailing_queue_emails=[],
        ).action_launch()
        self.assertEqual(self.env["link.tracker"].search_count([]), before)
        self._run_jobs()
        self.assertEqual(self.sent, ["a@example.com"])

    def test_links_to_jobs_are_for_who_may_read_jobs(self):
        operator = new_test_user(
            self.env,
            "operator",
            groups="mass_mailing.group_mass_mailing_user,queue_job.group_queue_job_manager",
        )
        for view, button in (
            ("mass_mailing.view_mail_mass_mailing_form", "action_view_queue_jobs"),
            ("mass_mailing.mailing_trace_view_form", "action_view_queue_job"),
        ):
            view_id, model = self.env.ref(view).id, self.env.ref(view).model
            for user, sees in ((self.user, False), (operator, True)):
                arch = self.env[model].with_user(user).get_view(view_id, "form")["arch"]
                self.assertEqual(f'"{button}"' in arch, sees, (user.login, button))

    def test_who_may_only_read_starts_nothing(self):
        """Send, unpause and resume are writing, also by the methods of other code."""
        group = self.env["res.groups"].create(
            {
                "name": "Readers of mailings",
                "model_access": [
                    Command.create(
                        {
                            "name": model,
                            "model_id": self.env["ir.model"]._get_id(model),
                            "perm_read": True,
                        }
                    )
                    for model in ("mailing.mailing", "mailing.trace", "mailing.list")
                ],
            }
        )
        reader = new_test_user(self.env, "reader", groups="base.group_user")
        reader.group_ids += group
        self._contacts("a@example.com")
        mailing = self._mailing()
        mailing.action_launch()
        mailing.action_queue_pause()
        jobs = self._jobs()
        for context in ({}, {"mass_mailing_queue_cron": True}):
            as_reader = mailing.with_user(reader).with_context(**context)
            self.assertEqual(as_reader.state, "in_queue")
            for method in (
                "action_launch",
                "action_send_mail",
                "action_send_mail_async",
                "action_queue_resume",
                "action_queue_pause",
                "action_queue_cancel",
                "action_queue_count_as_sent",
                "action_queue_send_again",
                "action_retry_failed",
                "action_cancel",
            ):
                with self.subTest(method), self.assertRaises(AccessError):
                    getattr(as_reader, method)()
                self.assertTrue(mailing.queue_paused)
        self.assertEqual(self._jobs(), jobs)

    # ------------------------------------------------------------------
    # Placeholders
    # ------------------------------------------------------------------

    def test_forbidden_placeholders_do_not_get_onto_a_mailing(self):
        """Upstream refuses them when they are written, which is what protects jobs."""
        self._contacts("a@example.com")
        mailing = self._mailing(
            subject="News", body_html="<p>News</p>", user_id=self.user.id
        ).with_user(self.user)
        for field, text in FORBIDDEN:
            value = Markup(text) if field == "body_html" else text
            with self.subTest(text), self.assertRaises(AccessError):
                mailing.write({field: value})
                mailing.action_launch()
            with self.subTest(text), self.assertRaises(AccessError):
                self._mailing(**{field: value}).with_user(self.user).copy()
        mailing.invalidate_recordset()
        mailing.action_launch()
        self._run_jobs()
        self.assertEqual(self.sent, ["a@example.com"])

    def test_a_placeholder_in_a_name_is_text(self):
        """What a recipient is called is filled in, and not filled in again."""
        contact = self._contacts("a@example.com")
        contact.name = "{{ object.env.user.login }} <t t-out='object.email'/>"
        mailing = self._mailing(keep_archives=True).with_user(self.user)
        mailing.action_launch()
        self._run_jobs()
        mail = self.env["mail.mail"].search([("mailing_id", "=", mailing.id)])
        self.assertEqual(mail.subject, f"News for {contact.name}")
        self.assertIn("&lt;t t-out=", mail.body_html)
        self.assertIn("{{ object.env.user.login }}", mail.body_html)
