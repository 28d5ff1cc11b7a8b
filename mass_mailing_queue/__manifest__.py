# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
{
    "name": "Mass Mailing Queue",
    "summary": "Send Email Marketing campaigns as jobs: never twice, never lost",
    "version": "19.0.1.0.0",
    "development_status": "Beta",
    "category": "Marketing/Email Marketing",
    "website": "https://github.com/OCA/social",
    "author": "Odoo Community Association (OCA)",
    "license": "LGPL-3",
    "depends": ["mass_mailing", "queue_job"],
    "data": [
        "security/ir.model.access.csv",
        "security/ir_rule.xml",
        "data/queue_job_channel.xml",
        "data/queue_job_function.xml",
        "data/ir_config_parameter.xml",
        "data/ir_cron.xml",
        "views/mailing_mailing_views.xml",
        "views/mailing_mailing_pace_views.xml",
        "views/mailing_queue_hours_views.xml",
        "views/mailing_trace_views.xml",
        "views/mailing_queue_alert_views.xml",
        "views/res_config_settings_views.xml",
        "wizards/mailing_queue_send_views.xml",
        "wizards/mailing_queue_diagnosis_views.xml",
    ],
    "assets": {
        "web.assets_backend": ["mass_mailing_queue/static/src/**/*"],
    },
    "uninstall_hook": "uninstall_hook",
    "installable": True,
}
