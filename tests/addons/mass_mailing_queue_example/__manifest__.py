# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
{
    "name": "Mass Mailing Queue: example",
    "summary": "Overrides each extension point once, to copy from",
    "version": "19.0.1.0.0",
    "category": "Hidden/Tests",
    "author": "Odoo Community Association (OCA)",
    "website": "https://github.com/OCA/social",
    "license": "LGPL-3",
    "depends": ["mass_mailing_queue"],
    "data": ["data/queue_job_channel.xml"],
}
