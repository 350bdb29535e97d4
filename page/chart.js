// The chart of the sheet: lines over a span with their axes, the band of usual moves, events as marks,
// a crosshair, and a part of it enlarged.

import { h, keyed, linePath, mark, s, say } from "./elements.js";
import { Pointing } from "./pointing.js";
import {
  band,
  grouped,
  roundTicks,
  seriesOf,
  signed,
  sinceText,
  spanSec,
  spreadOut,
  timeTicks,
  valueAt,
} from "./scale.js";
import { MARKS } from "./event_row.js";

const SIZE = 1000; // of the drawing, each way
const HOLE_SEC = 60; // a line ends where nothing came for longer
const LABEL_PX = 15;
const THIS_SPAN = { "15m": "these 15 minutes", "1h": "this hour", day: "this day" };
const SPAN_NAMES = { "15m": "Fifteen minutes", "1h": "An hour", day: "A day" };

export class Chart {
  // `show` is told an event to look at, `lookAt` a second.
  constructor({ show, lookAt }) {
    Object.assign(this, { show, lookAt, at: null, zoom: null });
    this.grid = s("path", { class: "grid" });
    this.band = s("path", { class: "band" });
    this.lines = s("g", { class: "lines" });
    this.strokes = s("g", { class: "strokes" });
    this.shown = s("path", { class: "shown" });
    this.cross = s("path", { class: "cross" });
    this.chosen = s("path", { class: "chosen" });
    this.svg = s(
      "svg",
      { viewBox: `0 0 ${SIZE} ${SIZE}`, preserveAspectRatio: "none", "aria-hidden": "true" },
      ...[this.grid, this.band, this.strokes, this.lines, this.shown, this.cross, this.chosen],
    );
    this.none = h("p", { class: "none" });
    this.plot = h(
      "div",
      {
        class: "plot",
        tabindex: "0",
        role: "slider",
        "aria-valuemin": "0",
        ...new Pointing(this).listeners(),
      },
      this.svg,
      this.none,
    );
    this.flags = h("div", { class: "flags" });
    this.levels = h("div", { class: "levels", "aria-hidden": "true" });
    this.ends = h("div", { class: "ends" });
    this.level = h("span", { class: "tag level" });
    this.times = h("div", { class: "times", "aria-hidden": "true" });
    this.time = h("span", { class: "tag time" });
    this.reading = h("p", { class: "reading" });
    this.back = h(
      "button",
      { type: "button", class: "chip back", onclick: () => this.enlarge(null) },
      "Whole span",
    );
    this.element = h(
      "div",
      { class: "chart" },
      h("div", { class: "above" }, this.reading, this.back),
      h(
        "div",
        { class: "area" },
        h("div", { class: "inside" }, this.plot, this.flags),
        h("div", { class: "gutter" }, this.levels, this.ends, this.level),
        h("div", { class: "below" }, this.times, this.time),
      ),
    );
  }

  // `chart` as the server sends it; `at` is the second that is shown, null for live.
  draw(chart, unit, at, clock) {
    const first = chart.lines[0];
    const wanted = [chart.span, ...chart.lines.map((line) => line.symbol)].join(" ");
    if (wanted !== this.wanted) Object.assign(this, { wanted, zoom: null, at: null });
    const compares = chart.lines.length > 1;
    Object.assign(this, { chart, clock, shownAt: at, unit: compares ? unit : "price" });
    const [begin, end] = this.zoom ?? [chart.begin, chart.end];
    Object.assign(this, { begin, end, holeSec: Math.max(2 * chart.step, HOLE_SEC) });
    this.series = chart.lines.map((line) => seriesOf(line, chart, this.unit, begin, end));
    this.steps = this.series[0].all.filter(([ts]) => ts > begin && ts <= end);
    const values = this.series.flatMap(({ inside }) => inside.map(([, value]) => value));
    const known = values.filter((value) => value !== null);
    mark(this.element, "data-compares", compares);
    say(this.none, known.length ? "" : this.noneText());
    this.back.style.visibility = this.zoom ? "visible" : "hidden";
    const edges = band(first, this.unit, spanSec(chart), begin, end);
    this.fit(known.length ? [...known, ...edges.flatMap(([, ...both]) => both)] : [0, 1]);
    this.drawBand(edges);
    this.drawAxes(known.length > 0);
    this.drawLines();
    this.drawMarks();
    mark(this.shown, "d", at === null || !known.length ? "" : this.upright(at));
    mark(this.plot, "aria-label", this.label(known));
    mark(this.plot, "aria-valuemax", Math.max(0, this.steps.length - 1));
    this.point(this.at);
  }

  noneText() {
    if (!this.chart.is_kept) return "No day is kept: there is no archive of it.";
    return `No price in ${this.zoom ? "this part" : THIS_SPAN[this.chart.span]}`;
  }

  label(known) {
    const { symbol } = this.chart.lines[0];
    const what = SPAN_NAMES[this.chart.span];
    if (!known.length) return `No price of ${symbol} in ${what.toLowerCase()}`;
    const names = this.chart.lines.map((line) => line.symbol).join(", ");
    const count = this.chart.marks.length;
    const events = `${count} stress event${count === 1 ? "" : "s"}`;
    const [low, high] = [Math.min(...known), Math.max(...known)].map((one) => this.worded(one));
    return `${what} of ${names}: lowest ${low}, highest ${high}, ${events}`;
  }

  // Where things are.

  fit(values) {
    const low = values.reduce((a, b) => Math.min(a, b));
    const high = values.reduce((a, b) => Math.max(a, b));
    const room = (high - low || Math.abs(high) / 1000 || 1) * 0.06;
    Object.assign(this, { low: low - room, high: high + room });
  }

  // How far right an instant is, from 0 to 1.
  share(ts) {
    return (ts - this.begin) / (this.end - this.begin);
  }

  x(ts) {
    return this.share(ts) * SIZE;
  }

  y(value) {
    return ((this.high - value) / (this.high - this.low)) * SIZE;
  }

  upright(ts) {
    const x = this.x(ts).toFixed(1);
    return x < 0 || x > SIZE ? "" : `M${x} 0V${SIZE}`;
  }

  // Drawing.

  drawBand(edges) {
    const at = ([ts, value]) => `${this.x(ts).toFixed(1)} ${this.y(value).toFixed(1)}`;
    const upper = edges.map(([ts, , high]) => at([ts, high]));
    const lower = edges.map(([ts, low]) => at([ts, low])).reverse();
    mark(this.band, "d", edges.length > 1 ? `M${[...upper, ...lower].join("L")}Z` : "");
  }

  drawAxes(hasPrices) {
    const { ticks, digits } = hasPrices
      ? roundTicks(this.low, this.high, 6)
      : { ticks: [], digits: 0 };
    this.digits = digits;
    const times = timeTicks(this.begin, this.end, 6, this.clock);
    const rules = ticks.map((value) => `M0 ${this.y(value).toFixed(1)}H${SIZE}`);
    mark(this.grid, "d", [...rules, ...times.ticks.map((ts) => this.upright(ts))].join(""));
    keyed(
      this.levels,
      ticks,
      (value) => value,
      () => h("span"),
      (label, value) => {
        label.style.top = `${this.y(value) / 10}%`;
        say(label, this.tickText(value));
      },
    );
    keyed(
      this.times,
      times.ticks.filter((ts) => this.x(ts) > 25 && this.x(ts) < SIZE - 25),
      (ts) => ts,
      () => h("span"),
      (label, ts) => {
        label.style.left = `${this.x(ts) / 10}%`;
        say(label, this.clock.text(ts).slice(0, times.step < 60 ? 8 : 5));
      },
    );
  }

  drawLines() {
    const at = this.shownAt ?? Infinity;
    const hole = this.holeSec / this.chart.step;
    const path = (inside) =>
      linePath(
        inside.map(([, value]) => value),
        hole,
        (place) => this.x(inside[place][0]),
        (value) => this.y(value),
      );
    keyed(
      this.lines,
      this.series,
      ({ line }) => line.symbol,
      () => s("g", {}, s("path", { class: "line" }), s("path", { class: "line later" })),
      (group, { line, inside }) => {
        mark(group, "data-series", this.chart.lines.indexOf(line) + 1);
        mark(group.firstChild, "d", path(inside.filter(([ts]) => ts <= at + this.chart.step)));
        mark(group.lastChild, "d", path(inside.filter(([ts]) => ts > at)));
      },
    );
    const ended = this.series.filter(({ last }) => last);
    const { clientHeight: height } = this.plot;
    const places = ended.map(({ last }) => (this.y(last[1]) / SIZE) * height);
    const spread = spreadOut(
      places,
      LABEL_PX,
      LABEL_PX / 2,
      Math.max(LABEL_PX, height - LABEL_PX / 2),
    );
    keyed(
      this.ends,
      ended.map((one, place) => ({ ...one, top: spread[place] })),
      ({ line }) => line.symbol,
      () => h("span", { class: "end" }, h("b"), h("span")),
      (label, { line, last, top }) => {
        mark(label, "data-series", this.chart.lines.indexOf(line) + 1);
        label.style.top = `${top}px`;
        say(label.firstChild, this.unit === "price" ? "" : `${line.symbol} `);
        say(label.lastChild, this.worded(last[1], line));
      },
    );
    for (const label of this.levels.children) {
      const off = spread.some((top) => Math.abs(top - label.offsetTop) < LABEL_PX);
      mark(label, "data-covered", off);
    }
  }

  drawMarks() {
    const inside = this.chart.marks.filter(({ ts }) => ts >= this.begin && ts <= this.end);
    keyed(
      this.strokes,
      inside,
      (event) => event.id,
      () => s("path"),
      (stroke, event) => {
        mark(stroke, "d", this.upright(event.ts));
        mark(stroke, "data-severity", event.severity);
      },
    );
    keyed(
      this.flags,
      inside,
      (event) => event.id,
      (event) => {
        const onclick = () => this.show(event);
        return h("button", { type: "button", tabindex: "-1", onclick });
      },
      (button, event) => {
        button.style.left = `${this.x(event.ts) / 10}%`;
        mark(button, "data-severity", event.severity);
        const text = `${this.clock.text(event.ts)} ${event.text}`;
        mark(button, "title", text);
        mark(button, "aria-label", text);
        say(button, MARKS[event.severity]);
      },
    );
  }

  // Figures in words.

  tickText(value) {
    if (this.unit === "price") return grouped(value, this.digits);
    return signed(value, this.digits) + (this.unit === "sigma" ? "σ" : " %");
  }

  worded(value, line = this.chart.lines[0]) {
    if (this.unit === "price") return grouped(value, line.decimals);
    return this.unit === "sigma" ? `${signed(value, 1)}σ` : `${signed(value, 2)} %`;
  }

  // The crosshair.

  // Point at a step of the chart by its place; null: at none.
  point(place) {
    const step = place === null ? undefined : this.steps?.[place];
    this.at = step ? place : null;
    mark(this.cross, "d", "");
    say(this.time, "");
    say(this.level, "");
    if (!step) {
      say(this.reading, this.restText());
      mark(this.plot, "aria-valuenow", Math.max(0, (this.steps?.length ?? 1) - 1));
      mark(this.plot, "aria-valuetext", this.reading.textContent || "no price");
      return;
    }
    const [ts] = step;
    const text = this.readingAt(ts);
    say(this.reading, text);
    mark(this.plot, "aria-valuenow", place);
    mark(this.plot, "aria-valuetext", text);
    const value = valueAt(this.series[0], ts, this.holeSec);
    const level = value === null ? "" : `M0 ${this.y(value).toFixed(1)}H${SIZE}`;
    mark(this.cross, "d", this.upright(ts) + level);
    say(this.time, this.clock.text(ts));
    this.time.style.left = `${Math.min(SIZE - 60, Math.max(60, this.x(ts))) / 10}%`;
    if (value === null) return;
    say(this.level, this.worded(value));
    this.level.style.top = `${this.y(value) / 10}%`;
  }

  // What is at an instant: its time, what each line is worth, and how that compares with what is usual.
  readingAt(ts) {
    const texts = this.series.map((series) => {
      const value = valueAt(series, ts, this.holeSec);
      const text = value === null ? "no price" : this.worded(value, series.line);
      return this.unit === "price" ? text : `${series.line.symbol} ${text}`;
    });
    const near = this.chart.marks.find((event) => Math.abs(event.ts - ts) <= 2 * this.chart.step);
    const usual = this.unit === "price" && sinceText(this.series[0], ts, this.holeSec, this.clock);
    const since = near ? near.text : usual;
    return [this.clock.text(ts), ...texts, since].filter(Boolean).join(" · ");
  }

  // What is said while nothing is pointed at.
  restText() {
    const anchor = this.series?.[0].line.anchor;
    if (!this.series?.some(({ last }) => last)) return "";
    const shown = this.shownAt === null ? "" : `Shown: ${this.clock.text(this.shownAt)} · `;
    if (!anchor) return `${shown}No band: its usual move was not known when this began`;
    return `${shown}Grey: its usual moves since ${this.clock.text(anchor.ts).slice(0, 5)} (±1σ)`;
  }

  // Mark a part, from one instant to another; null: none.
  choose(part) {
    const [left, right] = (part ?? []).map((ts) => this.x(ts).toFixed(1));
    mark(this.chosen, "d", part ? `M${left} 0H${right}V${SIZE}H${left}Z` : "");
  }

  // Show a part alone, from one instant to another; null: the whole span.
  enlarge(part) {
    this.zoom = part;
    this.at = null;
    this.draw(this.chart, this.unit, this.shownAt, this.clock);
  }
}
