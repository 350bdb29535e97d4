// What the line of the hour shows: the area of its stress, its events as marks, its clock, and where
// on it the moment is that is shown.

import { h, keyed, mark, s, say } from "./elements.js";
import { MARKS } from "./event_row.js";

const TALL = 44; // in units of its own; a higher line has larger ones
const FLOOR = 30; // the clock is below
const PEAK = 4;
const BENT = 0.7; // what is usual is seen, too
const MARK_Y = 9;
const NEAR_PX = { mouse: 7, pen: 12, touch: 22 };
const TOLD = 3;
const TICK_SEC = [300, 600, 900, 1800];
const TICK_PX = 88;
const LABEL_PX = { last: 84, other: 190 }; // the clock's times begin beside the name of the hour
const SHAPES = {
  watch: "m0-4a4 4 0 1 1 0 8a4 4 0 1 1 0-8z",
  alert: "m0-5l5.2 9h-10.4z",
  extreme: "m0-5.6l5.6 5.6l-5.6 5.6l-5.6-5.6z",
};

export class HourPlot {
  constructor() {
    this.width = 0; // in its own units
    this.unit = 1; // in pixels
    this.area = s("path", { class: "area", fill: "url(#stress)" });
    this.edge = s("path", { class: "edge", fill: "none", stroke: "url(#stress)" });
    this.ticks = s("g", { class: "ticks" });
    this.marks = s("g", { class: "marks" });
    this.svg = s(
      "svg",
      { "aria-hidden": "true" },
      s(
        "defs",
        {},
        s(
          "linearGradient",
          { id: "stress", x1: 0, x2: 0, y1: FLOOR, y2: PEAK, gradientUnits: "userSpaceOnUse" },
          s("stop", { offset: 0, class: "calm" }),
          s("stop", { offset: 0.5, class: "some" }),
          s("stop", { offset: 1, class: "most" }),
        ),
      ),
      ...[this.area, this.edge, this.ticks, this.marks],
    );
    this.label = h("span", { class: "label" });
    this.cursor = h("div", { class: "cursor" }, h("i"));
    this.element = h("div", { class: "hour-plot" }, this.svg, this.label, this.cursor);
    this.tip = h("div", { class: "pointed", hidden: true });
  }

  resize({ width, height }) {
    const unit = height / TALL || 1;
    const wide = Math.round(width / unit);
    if (wide === this.width && unit === this.unit) return;
    Object.assign(this, { width: wide, unit });
    mark(this.svg, "viewBox", `0 0 ${this.width} ${TALL}`);
    if (this.payload) this.draw(this.payload, this.line, this.clock);
  }

  x(second) {
    const [first, last] = this.line;
    return ((second - first) / (last - first)) * this.width;
  }

  draw(payload, line, clock) {
    Object.assign(this, { payload, line, clock });
    const { reach, live_now } = payload;
    const isLast = payload.line[1] === reach[1];
    say(this.label, isLast ? "Last hour" : clock.hour(line[0], line[1] + 1, live_now));
    this.drawArea(payload.area);
    this.drawTicks(isLast);
    const [first] = line;
    this.inside = payload.marks
      .map(([ts, severity, id, symbol, title]) => ({ ts, severity, id, symbol, title }))
      .filter(({ ts }) => ts >= first);
    keyed(
      this.marks,
      this.inside,
      ({ id }) => id,
      () => s("g", {}, s("path", { class: "stem" }), s("path", { class: "shape" })),
      (drawn, { ts, severity }) => {
        mark(drawn, "data-severity", severity);
        mark(drawn, "transform", `translate(${this.x(ts).toFixed(1)} 0)`);
        mark(drawn.firstChild, "d", `M0 ${MARK_Y}V${FLOOR}`);
        mark(drawn.lastChild, "d", `M0 ${MARK_Y}${SHAPES[severity]}`);
      },
    );
    if (this.pointed !== undefined && !this.tip.hidden) this.drawTip();
  }

  drawArea({ begin, step, values }) {
    const height = (value) => FLOOR - 1 - (value / 100) ** BENT * (FLOOR - 1 - PEAK);
    let area = "";
    let edge = "";
    let run = [];
    const close = () => {
      if (!run.length) return;
      const points = run.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
      edge += `M${points}`;
      area += `M${run[0][0].toFixed(1)} ${FLOOR}L${points}L${run.at(-1)[0].toFixed(1)} ${FLOOR}Z`;
      run = [];
    };
    values.forEach((value, place) => {
      if (value === null) return close();
      const ts = begin + place * step;
      if (!run.length) run.push([this.x(ts), height(value)]);
      run.push([this.x(ts + step / 2), height(value)]);
      if (place === values.length - 1 || values[place + 1] === null)
        run.push([this.x(ts + step), height(value)]);
    });
    close();
    mark(this.area, "d", area);
    mark(this.edge, "d", edge);
  }

  // Round times of the viewer's clock, as many as there is room for.
  drawTicks(isLast) {
    const [first, last] = this.line;
    const apart = TICK_SEC.find((sec) => (sec / (last - first)) * this.width >= TICK_PX) ?? 3600;
    const offset = this.clock.wall(first) / 1000 - first;
    const ticks = [];
    for (let ts = Math.ceil((first + offset) / apart) * apart - offset; ts <= last; ts += apart)
      ticks.push(ts);
    const from = LABEL_PX[isLast ? "last" : "other"];
    const to = this.width - (isLast ? 48 : 18);
    const inside = ticks.filter((ts) => this.x(ts) > from && this.x(ts) < to);
    const shown = isLast ? [...inside, null] : inside;
    keyed(
      this.ticks,
      shown,
      (ts) => ts ?? "now",
      () => s("g", {}, s("path"), s("text")),
      (drawn, ts) => {
        const x = ts === null ? this.width : this.x(ts);
        mark(drawn, "transform", `translate(${x.toFixed(1)} 0)`);
        mark(drawn, "data-end", ts === null);
        mark(drawn.firstChild, "d", `M0 ${FLOOR}v3`);
        mark(drawn.lastChild, "y", TALL - 2);
        say(drawn.lastChild, ts === null ? "now" : this.clock.text(ts).slice(0, 5));
      },
    );
  }

  // Moves without a layout: nothing else moves with it.
  move(second) {
    if (!this.line) return;
    const [first, last] = this.line;
    const part = Math.min(1, Math.max(0, (second - first) / (last - first)));
    this.cursor.style.transform = `translateX(${(100 * part).toFixed(3)}%)`;
  }

  // The events near a place on the screen, the nearest first.
  near(clientX, pointer = this.pointer) {
    const x = (clientX - this.element.getBoundingClientRect().left) / this.unit;
    const far = (NEAR_PX[pointer] ?? NEAR_PX.mouse) / this.unit;
    const away = ({ ts }) => Math.abs(this.x(ts) - x);
    const found = (this.inside ?? []).filter((event) => away(event) <= far);
    return found.sort((a, b) => away(a) - away(b));
  }

  // What is under the pointer, in words.
  point(clientX, pointer) {
    Object.assign(this, { pointed: clientX, pointer });
    this.drawTip();
  }

  unpoint() {
    this.tip.hidden = true;
  }

  drawTip() {
    if (!this.line) return;
    const { left, width } = this.element.getBoundingClientRect();
    const x = Math.min(width, Math.max(0, this.pointed - left));
    const [first, last] = this.line;
    const second = Math.round(first + (x / Math.max(1, width)) * (last - first));
    const now = this.payload.live_now;
    const near = this.near(this.pointed);
    const lines = near
      .slice(0, TOLD)
      .map(
        ({ severity, title, ts }) => `${MARKS[severity]} ${title} · ${this.clock.full(ts, now)}`,
      );
    if (near.length > TOLD) lines.push(`and ${near.length - TOLD} more`);
    const texts = lines.length ? lines : [this.clock.full(second, now)];
    keyed(
      this.tip,
      texts,
      (text) => text,
      (text) => h("p", {}, text),
      () => {},
    );
    this.tip.hidden = false;
    mark(this.element.parentElement, "data-near", near.length > 0);
    const most = Math.max(0, width - this.tip.offsetWidth);
    const at = Math.min(most, Math.max(0, x - this.tip.offsetWidth / 2));
    this.tip.style.transform = `translateX(${at.toFixed(0)}px)`;
  }
}
