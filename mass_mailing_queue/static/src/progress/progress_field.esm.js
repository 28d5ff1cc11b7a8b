// Copyright 2026 Odoo Community Association (OCA)
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import {Component, onWillDestroy, useState} from "@odoo/owl";
import {formatFloat, formatInteger} from "@web/views/fields/formatters";
import {_t} from "@web/core/l10n/translation";
import {formatDuration} from "@web/core/l10n/dates";
import {plural} from "../plural.esm";
import {registry} from "@web/core/registry";
import {standardFieldProps} from "@web/views/fields/standard_field_props";
import {useRecordObserver} from "@web/model/relational_model/utils";
import {useService} from "@web/core/utils/hooks";
import {user} from "@web/core/user";

/** What a recipient can be: colour, and the method that lists them. */
const PARTS = [
    ["sent", _t("Sent"), "bg-success", "action_view_traces_sent"],
    ["in_doubt", _t("In doubt"), "bg-warning", "action_view_queue_in_doubt"],
    ["failed", _t("Failed"), "bg-danger", "action_view_queue_failed"],
    ["cancelled", _t("Cancelled"), "bg-500", "action_view_traces_canceled"],
    ["waiting", _t("Waiting"), "", "action_view_queue_waiting"],
];

/** States of a mailing that somebody has sent and that is not done. */
const UNDER_WAY = ["in_queue", "sending"];

/** A change of one of these changes the form around the bar: buttons and warnings. */
const OUTLINE = ["state", "paused", "held", "in_doubt"];

function outline(row) {
    return JSON.stringify([...OUTLINE.map((name) => row[name]), row.failed > 0]);
}

export class ProgressField extends Component {
    static template = "mass_mailing_queue.ProgressField";
    static props = {...standardFieldProps, compact: {type: Boolean, optional: true}};

    setup() {
        this.action = useService("action");
        this.service = useService("mass_mailing_queue.progress");
        this.state = useState({row: false});
        this.watcher = {
            waits: !this.props.compact,
            getId: () => this.props.record.resId,
            isRunning: () => Boolean(this.state.row && this.state.row.running),
            isUnderWay: () =>
                UNDER_WAY.includes(this.state.row && this.state.row.state),
            apply: (row) => this.apply(row),
        };
        onWillDestroy(this.service.watch(this.watcher));
        useRecordObserver((record) => {
            const row = record.data[this.props.name] || false;
            this.state.row = row && {...row, waits_for: this.state.row.waits_for};
            if (row) {
                this.service.wake(this.watcher);
            }
        });
    }

    async apply(row) {
        const changed = outline(row) !== outline(this.state.row);
        this.state.row = row;
        const {record} = this.props;
        if (changed && !this.props.compact && !(await record.isDirty())) {
            await record.load();
        }
    }

    get row() {
        return this.state.row;
    }

    get parts() {
        return PARTS.map(([name, label, color, method]) => ({
            name,
            label,
            color,
            method,
            count: this.row[name],
            text: formatInteger(this.row[name]),
            width: this.row.total ? (100 * this.row[name]) / this.row.total : 0,
        })).filter(({count}) => count);
    }

    get segments() {
        return this.parts.filter(({color}) => color);
    }

    get percent() {
        const {total, waiting} = this.row;
        return total ? Math.floor((100 * (total - waiting)) / total) : 0;
    }

    get summary() {
        const {sent, total} = this.row;
        const values = {sent: formatInteger(sent), total: formatInteger(total)};
        return plural(
            total,
            _t("%(sent)s of %(total)s email sent", values),
            _t("%(sent)s of %(total)s emails sent", values)
        );
    }

    /** Emails a second, or a minute where that would be a fraction. */
    get speed() {
        const {rate, running, waiting} = this.row;
        if (!running || !rate || !waiting) {
            return "";
        }
        const perMinute = rate < 1;
        const digits = !perMinute && rate < 10 ? 1 : 0;
        const figure = perMinute ? rate * 60 : rate;
        const text = formatFloat(figure, {digits: [16, digits]});
        return perMinute
            ? plural(figure, _t("%s email/min", text), _t("%s emails/min", text))
            : plural(figure, _t("%s email/s", text), _t("%s emails/s", text), digits);
    }

    get timeLeft() {
        const {running, seconds_left: seconds} = this.row;
        if (!running || !seconds) {
            return "";
        }
        return seconds < 60
            ? _t("less than a minute left")
            : _t("about %s left", formatDuration(seconds, true));
    }

    get tooltip() {
        return this.row.paused ? _t("%s, paused", this.summary) : this.summary;
    }

    open(name) {
        const {resModel, resId} = this.props.record;
        return this.action.doActionButton({
            type: "object",
            name,
            resModel,
            resId,
            // The language of the title and of the words on an empty list.
            context: user.context,
        });
    }
}

export const progressField = {
    component: ProgressField,
    displayName: _t("Sending Progress"),
    supportedTypes: ["json"],
    // Room for the bar, the sign of a pause and 100 %.
    listViewWidth: [112, 160],
    supportedOptions: [
        {label: _t("Only a small bar"), name: "compact", type: "boolean"},
    ],
    extractProps: ({options}) => ({compact: Boolean(options.compact)}),
};

registry.category("fields").add("mailing_queue_progress", progressField);
