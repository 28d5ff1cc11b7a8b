# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
{
    "name": "Mass Mailing Queue: Channels of a Newer Job Queue",
    "summary": "Stands in for a queue_job that keeps capacities in the database",
    "version": "19.0.1.0.0",
    "category": "Hidden/Tests",
    "author": "Odoo Community Association (OCA)",
    "website": "https://github.com/OCA/social",
    "license": "LGPL-3",
    "depends": ["mass_mailing_queue_throttle"],
    "installable": True,
}
