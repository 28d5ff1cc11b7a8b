// Copyright 2026 Odoo Community Association (OCA)
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import {browser} from "@web/core/browser/browser";
import {registry} from "@web/core/registry";

/** Milliseconds between two looks, and before the next one after a failure. */
const INTERVAL = 4000;
const INTERVAL_AFTER_FAILURE = 30000;

/**
 * Asks how far mailings are, for all widgets on the page at once, for as long as one
 * of these mailings runs and the page can be seen.
 *
 * A watcher has `getId()`, `isRunning()`, `apply(row)` and `waits`: whether it shows
 * what its mailing waits for.
 */
export const progressService = {
    dependencies: ["orm"],
    start(env, {orm}) {
        const watchers = new Set();
        let timer = null;

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

        async function tick(all = false) {
            browser.clearTimeout(timer);
            timer = null;
            const wanted = [...watchers].filter(
                (watcher) => watcher.getId() && (all || watcher.isRunning())
            );
            if (!wanted.length || document.hidden) {
                return;
            }
            let delay = INTERVAL;
            try {
                await look(wanted);
            } catch {
                // Offline, or logged out: other requests tell the user so.
                delay = INTERVAL_AFTER_FAILURE;
            }
            browser.clearTimeout(timer);
            timer = browser.setTimeout(tick, delay);
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
                if (!timer && watcher.isRunning()) {
                    timer = browser.setTimeout(tick, INTERVAL);
                }
            },
        };
    },
};

registry.category("services").add("mass_mailing_queue.progress", progressService);
