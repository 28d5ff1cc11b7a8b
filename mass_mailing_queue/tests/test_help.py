# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from lxml import etree, html

from odoo.tests import TransactionCase

#: Of views that show many records, or none.
MANY = {"list", "kanban", "graph", "pivot"}
#: Say what they are by themselves.
PLAIN = {"name", "active"}
ADDONS = ("mass_mailing_queue", "mass_mailing_queue_throttle")


class HelpCase:
    """Every screen of an addon says what it is for, also while it is empty."""

    #: The addon.
    module = "mass_mailing_queue"
    allow_inherited_tests_method = True

    def _records(self, model):
        data = self.env["ir.model.data"].search(
            [("module", "=", self.module), ("model", "=", model)]
        )
        return self.env[model].browse(data.mapped("res_id"))

    def test_empty_lists_say_what_they_are_for(self):
        actions = self._records("ir.actions.act_window").filtered(
            lambda action: MANY.intersection(action.view_mode.split(","))
        )
        self.assertTrue(actions)
        for action in actions:
            with self.subTest(action=action.name):
                paragraphs = html.fragment_fromstring(
                    action.help or "", create_parent=True
                ).findall("p")
                self.assertGreaterEqual(len(paragraphs), 2, "a title, and what to do")
                self.assertIn("o_view_nocontent", paragraphs[0].get("class") or "")

    def test_what_is_entered_in_forms_has_help(self):
        forms = self._records("ir.ui.view").filtered(lambda view: view.type == "form")
        self.assertTrue(forms)
        silent = set()
        for view in forms:
            known = self.env[view.model]._fields
            for node in etree.fromstring(view.arch).iter("field"):
                field = known.get(node.get("name"))
                # A column of an embedded list has its own model.
                if field is None or node.xpath("ancestor::list"):
                    continue
                if field.readonly or field.name in PLAIN or field._module not in ADDONS:
                    continue
                if not (field.help or node.get("help")):
                    silent.add(str(field))
        self.assertFalse(silent)

    def test_placeholders_are_drawn_where_their_field_is_seen(self):
        """Only what can be edited draws one."""
        found = hidden = 0
        for view in self._records("ir.ui.view").filtered("model"):
            for node in etree.fromstring(view.arch).iterfind(".//field[@placeholder]"):
                model = self.env[view.model]
                # A column of an embedded list has its own model.
                if node.xpath("ancestor::list"):
                    parent = next(node.iterancestors("field"))
                    model = self.env[model._fields[parent.get("name")].comodel_name]
                field, readonly = model._fields[node.get("name")], node.get("readonly")
                found += 1
                hidden += field.readonly or (
                    readonly is not None and readonly not in node.get("invisible", "")
                )
        self.assertTrue(found)
        self.assertFalse(hidden)


class TestHelp(HelpCase, TransactionCase):
    def test_lists_of_one_mailing_say_so_when_nobody_is_on_them(self):
        mailing = self.env["mailing.mailing"].create({"subject": "News"})
        for name in ("waiting", "failed", "in_doubt", "jobs"):
            action = getattr(mailing, f"action_view_queue_{name}")()
            self.assertIn("o_view_nocontent", str(action["help"]), name)
