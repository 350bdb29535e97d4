// The pulse card: what moves most, a row per symbol.

import { gliding, h, keyed, linePath, mark, s, say } from "./elements.js";

const HOLE_BARS = 6; // ten-second bars further apart are not joined: the formulas do not either

const COLUMNS = [
  ["symbol", "Symbol", "Symbol, and how fresh its price is"],
  ["last", "Last", "Price of the newest tick"],
  ["1m", "1 min", "Return over one minute"],
  ["5m", "5 min", "Return over five minutes"],
  ["15m", "15 min", "Return over fifteen minutes"],
  ["surprise", "Surprise", "The one-minute return in units of the symbol's own volatility"],
  ["volatility", "Vol 15 min", "The typical move over fifteen minutes"],
  ["trend", "Trend/min", "Slope of the last fifteen minutes, per minute"],
  ["peers", "vs peers", "One-minute return minus the median of its class"],
  ["regime", "Regime", "Whether the symbol is volatile for its last hour"],
  ["spark", "Last 15 min", "Last fifteen minutes; a hole is where no price came"],
];
const REGIMES = { high_vol: "volatile", normal: "calm", unknown: "–" };

export class PulseCard {
  constructor({ open }) {
    this.open = open;
    this.note = h("span", { class: "note" });
    this.lists = h("div", { class: "lists" });
    this.empty = h("p", { class: "empty" }, "No symbols are watched.");
    this.element = h(
      "section",
      { class: "card pulse", "aria-label": "Pulse" },
      h("div", { class: "head" }, h("h2", {}, "Pulse"), this.note),
      this.empty,
      this.lists,
    );
  }

  draw({ pulse, view, at, now }, { choices, clock }) {
    Object.assign(this, { choices, clock, now });
    this.empty.hidden = pulse.watched > 0;
    say(this.note, pricedText(pulse, view.rank, at !== null));
    gliding(this.lists, () => {
      keyed(
        this.lists,
        pulse.lists,
        (list) => list.name || "all",
        table,
        (element, list) => {
          this.correctTable(element, list.rows, view.rank);
        },
      );
    });
  }

  correctTable(element, rows, rank) {
    keyed(
      element.tBodies[0],
      rows,
      (row) => row.symbol,
      (row) => this.row(row),
      (row, item) => {
        this.correctRow(row, item);
      },
    );
    for (const cell of element.querySelectorAll("[data-column]")) {
      mark(cell, "data-ranked", cell.dataset.column === rank);
    }
    for (const heading of element.tHead.rows[0].cells) {
      mark(heading, "aria-sort", heading.hasAttribute("data-ranked") ? "descending" : null);
    }
  }

  drawChoices({ choices }) {
    this.choices = choices;
    for (const row of this.lists.querySelectorAll("tr[data-symbol]")) {
      mark(row, "data-open", row.dataset.symbol === choices.symbol);
    }
  }

  // Give the focus to a symbol's row, if it is shown.
  focus(symbol) {
    this.lists.querySelector(`tr[data-symbol="${CSS.escape(symbol)}"] button`)?.focus();
  }

  row({ symbol }) {
    const toggle = () => this.open(this.choices.symbol === symbol ? "" : symbol);
    const cells = COLUMNS.map(([name]) =>
      h(name === "symbol" ? "th" : "td", {
        "data-column": name,
        scope: name === "symbol" ? "row" : null,
      }),
    );
    const onclick = (event) => {
      event.stopPropagation();
      toggle();
    };
    const button = h("button", { type: "button", class: "symbol", title: symbol, onclick }, symbol);
    cells[0].append(button, h("span", { class: "state" }));
    cells[5].append(h("span", { class: "bar", "aria-hidden": "true" }, h("i")), h("span"));
    const shape = { viewBox: "-2 -8 93 116", preserveAspectRatio: "none", "aria-hidden": "true" };
    cells[10].append(
      s("svg", shape, s("path")),
      h(
        "span",
        { class: "last-session" },
        h("span", { class: "word" }),
        h("span"),
        h("span", { class: "range" }),
      ),
    );
    return h("tr", { "data-symbol": symbol, onclick: toggle, onkeydown: walk }, ...cells);
  }

  correctRow(row, item) {
    mark(row, "data-state", item.state.split(" ")[0]);
    mark(row, "data-asset", item.asset);
    mark(row, "data-open", item.symbol === this.choices.symbol);
    const { cells } = row;
    say(cells[0].lastChild, stateText(item, this.clock, this.now));
    say(cells[1], item.last);
    this.correctSession(row, cells[10].lastChild, item.session);
    if (item.session) return blank(row);
    ["1m", "5m", "15m"].forEach((name, place) => signed(cells[2 + place], item[name]));
    signed(cells[5].lastChild, item.surprise);
    const fill = cells[5].firstChild.firstChild;
    const share = Math.min(1, Math.abs(item.sigmas) / 4) * 50;
    fill.style.setProperty("width", `${share}%`);
    fill.style.setProperty("left", item.sigmas < 0 ? `${50 - share}%` : "50%");
    mark(fill, "data-tone", Math.sign(item.surprise[1]));
    say(cells[6], item.volatility);
    signed(cells[7], item.trend);
    signed(cells[8], item.peers);
    say(cells[9], REGIMES[item.regime]);
    mark(cells[9], "data-regime", item.regime);
    const path = linePath(
      item.spark,
      HOLE_BARS,
      (x) => x,
      (y) => 100 - y,
    );
    mark(cells[10].querySelector("path"), "d", path);
  }

  // In the place of figures that a closed market does not have.
  correctSession(row, place, session) {
    mark(row, "data-session", Boolean(session));
    const [word, change, range] = place.children;
    say(word, session ? "last session " : "");
    say(change, session ? session.change : "");
    say(range, session ? `, ${session.low} – ${session.high}` : "");
    const brief = (second) => this.clock.brief(second, this.now);
    const title =
      session &&
      `Last session, ${brief(session.begin)} to ${brief(session.end)} ${this.clock.city}: from its first price to its last, lowest to highest`;
    mark(place, "title", title || null);
  }
}

// How fresh a symbol's price is; of a closed market with the time of its last one.
export function stateText(item, clock, now) {
  return item.last_ts == null
    ? item.state_text
    : `${item.state_text} · ${clock.brief(item.last_ts, now)}`;
}

function table(list) {
  const headings = COLUMNS.map(([name, text, help]) =>
    h("th", { scope: "col", "data-column": name, title: help }, text),
  );
  return h(
    "table",
    {},
    h("caption", { class: list.name ? "" : "hidden" }, list.name || "What moves most"),
    h("colgroup", {}, ...COLUMNS.map(([name]) => h("col", { "data-column": name }))),
    h("thead", {}, h("tr", {}, ...headings)),
    h("tbody"),
  );
}

// The arrow keys go from row to row.
function walk(event) {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const next = step && event.currentTarget[step]?.querySelector("button");
  if (!next) return;
  event.preventDefault();
  next.focus();
}

// No figures: the last session is shown instead of them.
function blank({ cells }) {
  for (const place of [2, 3, 4, 7, 8]) signed(cells[place], ["", 0]);
  signed(cells[5].lastChild, ["", 0]);
  for (const place of [6, 9]) say(cells[place], "");
  mark(cells[9], "data-regime", null);
}

function signed(cell, [text, tone]) {
  say(cell, text);
  mark(cell, "data-tone", tone);
}

// What the list is ranked by, and how many symbols have a price.
function pricedText({ watched, priced, trading, trading_priced }, rank, isPast) {
  const shut = watched - trading;
  if (shut && !trading) return `by ${rank} · every market is closed`;
  if (!priced && isPast) return "no symbol had a price";
  if (!priced) return "No tick yet: the first prices appear as soon as a feed sends one.";
  if (shut)
    return `by ${rank} · ${trading_priced} of ${trading} open symbols have a price, ${shut} are closed`;
  return `by ${rank} · ${priced} of ${watched} symbols have a price`;
}
