// The last hour of one symbol: a line with holes, its events, and a reading under the pointer.

import { h, keyed, linePath, mark, s, say } from "./elements.js";

export class Chart {
  constructor() {
    this.line = s("path", { class: "line" });
    this.cross = s("path", { class: "cross" });
    this.events = s("g");
    this.svg = s(
      "svg",
      { viewBox: "0 0 720 100", preserveAspectRatio: "none", "aria-hidden": "true" },
      this.events,
      this.line,
      this.cross,
    );
    this.high = h("span", { class: "high" });
    this.low = h("span", { class: "low" });
    this.none = h("span", { class: "none" });
    this.from = h("span");
    this.reading = h("span", { class: "reading" });
    this.to = h("span");
    this.frame = h(
      "div",
      {
        class: "plot",
        tabindex: "0",
        role: "img",
        onpointermove: (event) => this.point((event.offsetX / this.frame.clientWidth) * 720),
        onpointerleave: () => this.point(null),
        onkeydown: (event) => this.step(event),
      },
      this.svg,
      this.high,
      this.low,
      this.none,
    );
    this.element = h(
      "div",
      { class: "chart" },
      this.frame,
      h("div", { class: "axis" }, this.from, this.reading, this.to),
    );
  }

  draw(symbol, clock) {
    Object.assign(this, { symbol, clock });
    const { prices, start, step } = symbol.chart;
    const known = prices.filter((price) => price !== null);
    if (!known.length) {
      for (const span of [this.high, this.low, this.from, this.to, this.reading]) say(span, "");
      mark(this.line, "d", "");
      say(this.none, "No price in this hour");
      mark(this.frame, "aria-label", `No price of ${symbol.symbol} in this hour`);
      this.events.keyed?.clear();
      this.events.replaceChildren();
      return;
    }
    const low = known.reduce((a, b) => Math.min(a, b));
    const high = known.reduce((a, b) => Math.max(a, b));
    const y = (price) => (high > low ? 92 - ((price - low) / (high - low)) * 84 : 50);
    mark(
      this.line,
      "d",
      linePath(prices, 60 / step, (x) => x, y),
    );
    say(this.none, "");
    say(this.high, this.price(high));
    say(this.low, this.price(low));
    say(this.from, clock.text(start));
    say(this.to, clock.text(start + prices.length * step));
    mark(
      this.frame,
      "aria-label",
      `An hour of ${symbol.symbol}: lowest ${this.price(low)}, highest ${this.price(high)}, ${symbol.events.length} stress events`,
    );
    keyed(
      this.events,
      symbol.events,
      (event) => event.id,
      () => s("path"),
      (line, event) => {
        mark(line, "d", `M${((event.ts - start) / step).toFixed(1)} 0V100`);
        mark(line, "data-severity", event.severity);
      },
    );
    this.point(this.at ?? null);
  }

  price(value) {
    const digits = this.symbol.decimals;
    return value.toLocaleString("en-US", {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
  }

  step(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    this.point(Math.max(0, Math.min(719, (this.at ?? 719) + by * (event.shiftKey ? 12 : 1))));
  }

  point(at) {
    this.at = at === null ? null : Math.floor(at);
    mark(this.cross, "d", this.at === null ? "" : `M${this.at} 0V100`);
    if (this.at === null) return say(this.reading, "");
    const { prices, start, step } = this.symbol.chart;
    const second = start + this.at * step;
    const price = prices[this.at];
    const near = this.symbol.events.find((event) => Math.abs(event.ts - second) <= 2 * step);
    say(
      this.reading,
      `${this.clock.text(second)} ${price == null ? "no price" : this.price(price)}${near ? ` · ${near.text}` : ""}`,
    );
  }
}
