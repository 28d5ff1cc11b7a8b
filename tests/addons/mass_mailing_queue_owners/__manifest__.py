# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
{
    "name": "Mass Mailing Queue: owners",
    "summary": "Sends each contact's email as its owner, for the suites",
    "version": "19.0.1.0.0",
    "category": "Hidden/Tests",
    "author": "Odoo Community Association (OCA)",
    "website": "https://github.com/OCA/social",
    "license": "LGPL-3",
    "depends": ["mass_mailing"],
}
