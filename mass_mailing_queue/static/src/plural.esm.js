// Copyright 2026 Odoo Community Association (OCA)
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import {user} from "@web/core/user";

/**
 * The term that a number takes in the user's language: terms have no plural forms.
 *
 * @param {Number} count as it is shown, but for rounding
 * @param {String} one the term for 1
 * @param {String} many the term for 2
 * @param {Number} digits decimals that are shown: 1.0 is not said like 1
 * @returns {String}
 */
export function plural(count, one, many, digits = 0) {
    const rules = new Intl.PluralRules(user.lang, {
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
    });
    return rules.select(count) === "one" ? one : many;
}
