"""Creates audiences and drafts in Odoo, as records that a marketer would make."""

from tests.demo import design

DOMAIN = "parity.example"
URL = "http://odoo.parity.example"
INSTALLED = ("en_US", "fr_FR")


class Builder:
    """Makes everything of a world in one database.

    :param env: Odoo's, of the superuser
    """

    def __init__(self, env):
        self.env = env(
            context={
                "tracking_disable": True,
                "mail_create_nolog": True,
                "no_reset_password": True,
            }
        )
        self.lists = {}
        self.users = {}
        self.server = None

    def build(self, world):
        """Create all of it.

        :param dict world: `contacts`, `partners`, `registrations`, `blacklist`,
            `mailings` and the SMTP server's `port`
        :return: dict of a mailing's key → its id and its user's
        """
        self._settings(world["port"])
        self._users()
        for email, active in world["blacklist"].items():
            self.env["mail.blacklist"].create({"email": email, "active": active})
        self._contacts(world["contacts"])
        self._partners(world["partners"])
        self._registrations(world["registrations"])
        return {values["key"]: self._mailing(values) for values in world["mailings"]}

    def _settings(self, port):
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("web.base.url", URL)
        # Of the process that sends, not of the address that asks.
        parameters.set_param("web.base.url.freeze", "True")
        for code in INSTALLED:
            self.env["res.lang"]._activate_lang(code)
        belgium = self.env.ref("base.be")
        belgium.with_context(lang="fr_FR").name = "Belgique"
        self.env["ir.mail_server"].search([]).unlink()
        values = {
            "name": "Sink",
            "smtp_host": "127.0.0.1",
            "smtp_port": port,
            "smtp_encryption": "none",
            "smtp_authentication": "login",
            "smtp_user": "parity",
            "smtp_pass": "parity",
        }
        self.env["ir.mail_server"].create(values)
        # May send in the name of its domain: From is not rewritten.
        self.server = self.env["ir.mail_server"].create(
            {**values, "name": "Own", "sequence": 99, "from_filter": "own.example"}
        )
        company = self.env.company
        company.write({"name": "Parity & Söhne", "alias_domain_id": self._alias().id})
        company.partner_id.write({"email": f"company@{DOMAIN}", "country_id": 20})

    def _alias(self, domain=DOMAIN):
        return self.env["mail.alias.domain"].create(
            {
                "name": domain,
                "bounce_alias": "bounce",
                "catchall_alias": "catchall",
                "default_from": "notifications",
            }
        )

    def _users(self):
        elsewhere = self.env["res.company"].create(
            {"name": "Elsewhere", "alias_domain_id": self._alias("else.example").id}
        )
        groups = [
            (4, self.env.ref(name).id)
            for name in (
                "base.group_user",
                "base.group_partner_manager",
                "mail.group_mail_template_editor",
                "mass_mailing.group_mass_mailing_user",
                "event.group_event_user",
            )
        ]
        for login, values in {
            "marketer": {"name": "Mark Éteur", "tz": "Europe/Brussels"},
            "french": {"name": "Françoise", "lang": "fr_FR", "tz": "Asia/Tokyo"},
            "elsewhere": {
                "name": "Else",
                "company_id": elsewhere.id,
                "company_ids": [(6, 0, [elsewhere.id, self.env.company.id])],
            },
        }.items():
            self.users[login] = self.env["res.users"].create(
                {
                    "login": login,
                    "email": f"{login}@{DOMAIN}",
                    "group_ids": groups,
                    **values,
                }
            )

    def _contacts(self, contacts):
        names = sorted({name for values in contacts for name in values["lists"]})
        for name in names:
            self.lists[name] = self.env["mailing.list"].create({"name": name})
        for values in contacts:
            self.env["mailing.contact"].create(
                {
                    "name": values["name"],
                    "email": values["email"],
                    "subscription_ids": [
                        (0, 0, {"list_id": self.lists[name].id, "opt_out": opt_out})
                        for name, opt_out in values["lists"].items()
                    ],
                }
            )

    def _partners(self, partners):
        for values in partners:
            values = {"country_id": self.env.ref("base.be").id, **values}
            lang = values.pop("lang", "en_US")
            known = lang if lang in INSTALLED else False
            partner = self.env["res.partner"].create(
                {"ref": "parity", **values, "lang": known}
            )
            if lang != known:
                # A language that was uninstalled stays on its partners.
                partner.flush_recordset()
                self.env.cr.execute(
                    "UPDATE res_partner SET lang = %s WHERE id = %s", [lang, partner.id]
                )
        self.env.invalidate_all()

    def _registrations(self, registrations):
        if not registrations:
            return
        event = self.env["event.event"].create(
            {
                "name": "Fête <de> la parité",
                "date_begin": "2031-08-14 10:00:00",
                "date_end": "2031-08-15 10:00:00",
            }
        )
        event.event_mail_ids.unlink()
        for values in registrations:
            values = dict(values)
            booker = values.pop("partner", None)
            partner = self.env["res.partner"].search([("name", "=", booker)], limit=1)
            self.env["event.registration"].create(
                {"event_id": event.id, "partner_id": partner.id, **values}
            )

    def _mailing(self, values):
        values = dict(values)
        values.pop("key")
        user = self.users[values.pop("user")]
        env = self.env(user=user)
        attachments = env["ir.attachment"].create(values.pop("attachments"))
        if values.pop("design", False):
            rendered = env["ir.ui.view"].render_public_asset(design.DESIGNS, {})
            values["body_arch"] = design.layout(rendered, design.CHOSEN)
            values["body_html"] = design.inline(values["body_arch"])
        first = str(attachments[:1].id)
        values["body_html"] = values["body_html"].replace("{attachment}", first)
        if values.pop("server", False):
            values["mail_server_id"] = self.server.id
        if title := values.pop("campaign", None):
            values["campaign_id"] = self._campaign(title).id
        model = self.env["ir.model"]._get(values.pop("model", "mailing.list"))
        lists = values.pop("lists")
        if model.model == "mailing.list":
            ids = [self.lists[name].id for name in lists]
            values["contact_list_ids"] = [(6, 0, ids)]
        mailing = env["mailing.mailing"].create(
            {
                "mailing_model_id": model.id,
                "attachment_ids": [(6, 0, attachments.ids)],
                "user_id": user.id,
                **values,
            }
        )
        return {"id": mailing.id, "user": user.id}

    def _campaign(self, title):
        campaigns = self.env["utm.campaign"]
        found = campaigns.search([("title", "=", title)], limit=1)
        return found or campaigns.create({"title": title})
