# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
{
    "name": "Mass Mailing Queue: claims that do not last",
    "summary": "Takes out the claim's commit, to show what it is for",
    "version": "19.0.1.0.0",
    "category": "Hidden/Tests",
    "author": "Odoo Community Association (OCA)",
    "website": "https://github.com/OCA/social",
    "license": "LGPL-3",
    "depends": ["mass_mailing_queue"],
}
