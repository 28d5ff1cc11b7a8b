# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
{
    "name": "Mass Mailing Queue: an attachment for each",
    "summary": "Gives each recipient a large attachment of their own",
    "version": "19.0.1.0.0",
    "category": "Hidden/Tests",
    "author": "Odoo Community Association (OCA)",
    "website": "https://github.com/OCA/social",
    "license": "LGPL-3",
    "depends": ["mass_mailing_queue"],
}
