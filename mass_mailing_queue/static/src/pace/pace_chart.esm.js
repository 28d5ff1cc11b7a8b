// Copyright 2026 Odoo Community Association (OCA)
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
/* global Chart */

import {
    Component,
    onWillStart,
    onWillUnmount,
    useEffect,
    useRef,
    useState,
} from "@odoo/owl";
import {getColor, getCustomColor} from "@web/core/colors/colors";
import {_t} from "@web/core/l10n/translation";
import {browser} from "@web/core/browser/browser";
import {cookie} from "@web/core/browser/cookie";
import {deserializeDateTime} from "@web/core/l10n/dates";
import {loadBundle} from "@web/core/assets";
import {registry} from "@web/core/registry";
import {standardWidgetProps} from "@web/views/widgets/standard_widget_props";
import {useRecordObserver} from "@web/model/relational_model/utils";
import {useService} from "@web/core/utils/hooks";

/** Milliseconds between two looks at a mailing that is being sent. */
const INTERVAL = 30000;

/** Emails a minute over a campaign, by at most ninety bars. */
export class PaceChart extends Component {
    static template = "mass_mailing_queue.PaceChart";
    static props = {...standardWidgetProps};

    setup() {
        this.orm = useService("orm");
        this.canvas = useRef("canvas");
        this.state = useState({points: []});
        onWillStart(() => loadBundle("web.chartjs_lib"));
        // Also when the pager shows another mailing, and once this one is done.
        useRecordObserver((record) => this.load(record.resId, record.data.state));
        const timer = browser.setInterval(() => this.refresh(), INTERVAL);
        onWillUnmount(() => browser.clearInterval(timer));
        useEffect(
            (points) => {
                const chart = points.length && this.draw(points);
                return () => chart && chart.destroy();
            },
            () => [this.state.points]
        );
    }

    async load(resId, state) {
        if (!resId || state === "draft") {
            this.state.points = [];
            return;
        }
        // Without its chart a form is still a form.
        const pace = await this.orm.silent
            .call("mailing.mailing", "queue_pace", [resId])
            .catch(() => null);
        if (pace && resId === this.props.record.resId) {
            this.state.points = pace.points;
        }
    }

    async refresh() {
        const {resId, data} = this.props.record;
        if (data.state === "sending" && !document.hidden) {
            await this.load(resId, data.state);
        }
    }

    draw(points) {
        const scheme = cookie.get("color_scheme");
        const grid = getCustomColor(scheme, "#d8dadd", "#3C3E4B");
        const text = getCustomColor(scheme, "#111827", "#E4E4E4");
        const times = points.map(([begin]) => deserializeDateTime(begin));
        const oneDay = times[0].hasSame(times.at(-1), "day");
        const format = oneDay
            ? luxon.DateTime.TIME_SIMPLE
            : luxon.DateTime.DATETIME_SHORT;
        return new Chart(this.canvas.el, {
            type: "bar",
            data: {
                labels: times.map((time) => time.toLocaleString(format)),
                datasets: [
                    {
                        label: _t("Emails per minute"),
                        data: points.map(([, emails]) => emails),
                        backgroundColor: getColor(0, scheme, "odoo"),
                        maxBarThickness: 24,
                    },
                ],
            },
            options: {
                animation: false,
                maintainAspectRatio: false,
                plugins: {legend: {display: false}, tooltip: {intersect: false}},
                scales: {
                    x: {
                        grid: {display: false},
                        ticks: {color: text, maxRotation: 0, autoSkipPadding: 16},
                    },
                    y: {
                        beginAtZero: true,
                        grid: {color: grid},
                        border: {display: false},
                        ticks: {color: text, precision: 0, maxTicksLimit: 5},
                    },
                },
            },
        });
    }
}

registry.category("view_widgets").add("mailing_queue_pace", {component: PaceChart});
