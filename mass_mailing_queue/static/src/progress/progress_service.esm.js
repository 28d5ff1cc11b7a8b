// Copyright 2026 Odoo Community Association (OCA)
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import {browser} from "@web/core/browser/browser";
import {registry} from "@web/core/registry";

/**
 * Milliseconds between two looks: at mailings that run, and at those that are scheduled
 * or paused. The latter is also how long to wait after a failure.
 */
const INTERVAL = 4000;
const INTERVAL_AT_REST = 30000;

/**
 * Asks how far mailings are, for all widgets on the page at once, for as long as one
 * of these mailings is under way and the page can be seen.
 *
 * A watcher has `getId()`, `isUnderWay()`: whether its mailing may change by itself or
 * by somebody else's hand, `isRunning()`: whether it does now, `apply(row)` and
 * `waits`: whether it shows what its mailing waits for.
 */
export const progressService = {
    dependencies: ["orm"],
    start(env, {orm}) {
        const watchers = new Set();
        let timer = null;
        // When the timer goes off.
        let due = Infinity;
        let lookedAtRest = Date.now();

        async function look(wanted) {
            const ids = [...new Set(wanted.map((watcher) => watcher.getId()))];
            const waits = wanted.some((watcher) => watcher.waits);
            const rows = await orm.silent.call(
                "mailing.mailing",
                "queue_progress",
                [ids],
                {waits}
            );
            for (const watcher of wanted.filter((one) => watchers.has(one))) {
                const row = rows.find(({id}) => id === watcher.getId());
                if (row) {
                    watcher.apply(row);
                }
            }
        }

        function schedule(callback, delay) {
            const at = Date.now() + delay;
            if (at < due) {
                browser.clearTimeout(timer);
                due = at;
                timer = browser.setTimeout(callback, delay);
            }
        }

        /** Look again in time for what changes soonest. */
        function scheduleNext(callback) {
            const known = [...watchers].filter((watcher) => watcher.getId());
            if (known.some((watcher) => watcher.isRunning())) {
                schedule(callback, INTERVAL);
            } else if (known.some((watcher) => watcher.isUnderWay())) {
                schedule(callback, INTERVAL_AT_REST);
            }
        }

        async function tick(all = false) {
            browser.clearTimeout(timer);
            due = Infinity;
            if (document.hidden) {
                // It looks when it can be seen again.
                return;
            }
            const rested = all || Date.now() - lookedAtRest >= INTERVAL_AT_REST;
            if (rested) {
                lookedAtRest = Date.now();
            }
            const wanted = [...watchers].filter(
                (watcher) =>
                    watcher.getId() &&
                    (all || watcher.isRunning() || (rested && watcher.isUnderWay()))
            );
            try {
                if (wanted.length) {
                    await look(wanted);
                }
                scheduleNext(tick);
            } catch {
                // Offline, or logged out: other requests tell the user so.
                schedule(tick, INTERVAL_AT_REST);
            }
        }

        document.addEventListener("visibilitychange", () => tick(true));

        return {
            /**
             * @param {Object} watcher
             * @returns {Function} call it when the widget goes
             */
            watch(watcher) {
                watchers.add(watcher);
                return () => watchers.delete(watcher);
            },
            /** Look again soon: a widget has come, or its mailing has changed. */
            wake(watcher) {
                if (watcher.waits) {
                    look([watcher]).catch(() => null);
                }
                scheduleNext(tick);
            },
        };
    },
};

registry.category("services").add("mass_mailing_queue.progress", progressService);
