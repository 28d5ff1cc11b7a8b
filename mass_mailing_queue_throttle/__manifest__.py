# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
{
    "name": "Mass Mailing Queue: Throttle",
    "summary": "Campaigns as fast as their mail provider allows, never faster",
    "version": "19.0.1.1.0",
    "development_status": "Beta",
    "category": "Marketing/Email Marketing",
    "website": "https://github.com/OCA/social",
    "author": "Odoo Community Association (OCA)",
    "license": "LGPL-3",
    "depends": ["mass_mailing_queue"],
    "data": [
        "security/ir.model.access.csv",
        "security/ir_rule.xml",
        "data/ir_cron.xml",
        "views/mailing_provider_views.xml",
        "views/mailing_provider_stat_views.xml",
        "views/mailing_mailing_views.xml",
        "views/ir_mail_server_views.xml",
    ],
    "post_init_hook": "post_init_hook",
    "uninstall_hook": "uninstall_hook",
    "installable": True,
}
