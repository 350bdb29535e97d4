// The correlation card: which names move with the base, which started or stopped, and the heat map.

import { h, keyed, mark, say } from "./elements.js";

const NUMBERED = 7; // a heat map of this many symbols has room for numbers
const STRONGEST = 45; // percent of a colour in a cell: on more of it numbers are hard to read
const WHEN = "r of the last 15 minutes against that of the 45 before them";

export class CorrelationsCard {
  constructor({ choose }) {
    this.base = h("span", { class: "note" });
    this.empty = h("p", { class: "empty" });
    this.pairs = h("ol", { class: "pairs" });
    this.sparse = h("p", { class: "sparse" });
    this.changedHead = h("h3", { title: WHEN }, "What changed");
    this.changed = h("ul", { class: "changed" });
    this.heatButton = h(
      "button",
      {
        type: "button",
        class: "chip",
        "aria-pressed": "false",
        onclick: () => choose({ heat: !this.choices.heat }),
      },
      "Heat map",
    );
    this.heat = new HeatMap();
    this.element = h(
      "section",
      { class: "card correlation", "aria-label": "Moving together" },
      h("div", { class: "head" }, h("h2", {}, "Moving together"), this.heatButton),
      this.base,
      this.empty,
      this.pairs,
      this.sparse,
      this.changedHead,
      this.changed,
      this.heat.element,
    );
  }

  draw({ correlation, now }, { choices, clock }) {
    this.element.hidden = !correlation;
    if (!correlation) return;
    const { card, heat } = correlation;
    say(
      this.base,
      card.shut?.is_base
        ? `${card.base} · its market is closed`
        : `With ${card.base}, ${card.words}`,
    );
    mark(this.base, "title", card.method);
    say(this.empty, card.shut ? shutText(card.shut, clock, now) : card.missing);
    this.empty.hidden = !card.missing;
    drawPairs(this.pairs, card.top);
    say(this.sparse, card.sparse);
    this.sparse.hidden = !card.sparse || Boolean(card.shut);
    this.changedHead.hidden = !card.changed.length;
    keyed(
      this.changed,
      card.changed,
      (pair) => pair.text,
      () => h("li", {}, h("b"), h("span"), h("small")),
      correctChange,
    );
    this.heatButton.disabled = card.too_many;
    mark(
      this.heatButton,
      "title",
      card.too_many ? "Too many symbols for a heat map: choose fewer classes" : null,
    );
    if (heat && choices.heat) this.heat.draw(heat);
  }

  drawChoices({ choices }) {
    this.choices = choices;
    mark(this.heatButton, "aria-pressed", String(choices.heat));
    if (!choices.heat) this.heat.element.hidden = true;
  }
}

class HeatMap {
  constructor() {
    this.element = h("div", {
      class: "heat",
      hidden: true,
      tabindex: "0",
      role: "group",
      "aria-label": "Heat map",
    });
  }

  draw({ symbols, r, n }) {
    this.element.hidden = false;
    if (this.key !== symbols.join()) this.build(symbols);
    const hasRoom = symbols.length <= NUMBERED;
    mark(this.element, "data-dense", !hasRoom);
    symbols.forEach((left, i) =>
      symbols.forEach((right, j) => {
        const value = i === j ? null : rounded(r[i][j]);
        const text = value === null ? "" : value.toFixed(2).replace("-", "−");
        const cell = this.cells[i][j];
        // Without room for a number there is room for its sign: colour alone must not tell it.
        say(cell, hasRoom ? text : value < 0 ? "−" : "");
        mark(
          cell,
          "title",
          i === j
            ? left
            : `${left} and ${right}: ${text || "not enough shared data"}, n ${n[i][j]}`,
        );
        mark(cell, "data-tone", value === null ? 0 : Math.sign(value));
        cell.style.setProperty("--strength", `${Math.round(Math.abs(value ?? 0) * STRONGEST)}%`);
      }),
    );
  }

  build(symbols) {
    this.key = symbols.join();
    this.cells = symbols.map(() => symbols.map(() => h("td")));
    const headings = symbols.map((name) => h("th", { scope: "col" }, h("span", {}, name)));
    const rows = symbols.map((name, place) =>
      h("tr", {}, h("th", { scope: "row" }, name), ...this.cells[place]),
    );
    const body = h("tbody", {}, h("tr", {}, h("td"), ...headings), ...rows);
    this.element.replaceChildren(
      h("table", { "aria-label": "Correlation of each pair" }, body),
      legend(),
    );
  }
}

// What the colours mean.
function legend() {
  const scale = h("i", { "aria-hidden": "true" });
  scale.style.setProperty("--strength", `${STRONGEST}%`);
  return h(
    "p",
    { class: "legend" },
    h("span", {}, "−1 opposite"),
    scale,
    h("span", {}, "together +1"),
  );
}

// To two decimals; what rounds to zero has no sign, for which 0 is added to −0.
export function rounded(value) {
  return value === null ? null : Math.round(value * 100) / 100 + 0;
}

function correctChange(item, { started, told, before, after, ago, title, text }) {
  const [names, what, figures] = item.children;
  mark(item, "data-started", String(started));
  say(names, `${started ? "↗" : "↘"} ${text}`);
  say(what, ` ${told} `);
  say(figures, `${before} → ${after}${ago ? ` · ${ago}` : ""}`);
  mark(item, "title", title);
}

// Why market hours leave nothing to compare, until when, and what there is instead.
export function shutText({ assets, opens, base, is_base, instead }, clock, now) {
  const names = assets.join(" and ");
  const closed = `${names[0].toUpperCase()}${names.slice(1)} ${assets.length > 1 || names === "stocks" ? "are" : "is"} closed`;
  const until = opens === null ? "" : ` until ${clock.brief(opens, now)} ${clock.city}`;
  const other = is_base
    ? `choose ${instead[0]} as the base, and correlate it with ${instead[1]}`
    : `correlate ${base} with ${instead[0]}`;
  return `${closed}${until}.${instead.length ? ` Meanwhile ${other}.` : ""}`;
}

// Pairs, each with its r, its interval as a bar, and how much to trust it.
export function drawPairs(list, pairs) {
  keyed(list, pairs, (_, place) => place, pairItem, correctPair);
}

function pairItem() {
  return h(
    "li",
    {},
    h("b"),
    h("span", { class: "r" }),
    h(
      "span",
      { class: "scale", "aria-hidden": "true" },
      h("i", { class: "range" }),
      h("i", { class: "value" }),
    ),
    h("span", { class: "note" }),
  );
}

function correctPair(item, pair) {
  mark(item, "data-doubtful", Boolean(pair.doubtful));
  const figures = `r ${pair.text}, surely from ${pair.range}, of ${pair.n} shared returns`;
  mark(item, "title", [figures, pair.doubtful].filter(Boolean).join(". "));
  const [name, r, scale, note] = item.children;
  say(name, pair.symbol);
  say(r, pair.text);
  mark(r, "data-tone", Math.sign(pair.r));
  say(note, pair.doubtful ? "may be chance" : pair.word);
  const place = (value) => (value + 1) * 50;
  const [range, value] = scale.children;
  range.style.setProperty("left", `${place(pair.low)}%`);
  range.style.setProperty("width", `${place(pair.high) - place(pair.low)}%`);
  value.style.setProperty("left", `${Math.min(50, place(pair.r))}%`);
  value.style.setProperty("width", `${Math.abs(place(pair.r) - 50)}%`);
  mark(value, "data-tone", Math.sign(pair.r));
}
