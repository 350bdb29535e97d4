// The pulse card: what moves most, a row per symbol.

import { correctVendor, KINDS } from "./cells.js";
import { gliding, h, keyed, mark, say } from "./elements.js";

const EARLY =
  "Early: of no symbol six hours of its own minutes are known yet, so each is judged by those of its class, or by its volatility alone";

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
    Object.assign(this, { choices, clock, now, columns: pulse.columns });
    this.empty.hidden = pulse.watched > 0;
    mark(this.lists, "data-dayless", !pulse.has_day);
    say(this.note, pricedText(pulse, view.rank, at !== null));
    mark(this.note, "title", pulse.early ? EARLY : null);
    gliding(this.lists, () => {
      keyed(
        this.lists,
        pulse.lists,
        (list) => list.name || "all",
        (list) => table(list, pulse.columns),
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
    const cells = this.columns.map((column) => {
      const isName = column.kind === "name";
      const attributes = { ...about(column), scope: isName ? "row" : null };
      const parts = KINDS[column.kind].make(toggle);
      return h(isName ? "th" : "td", attributes, ...parts);
    });
    return h("tr", { "data-symbol": symbol, onclick: toggle, onkeydown: walk }, ...cells);
  }

  correctRow(row, item) {
    mark(row, "data-state", item.state.match(/\w+/)[0]);
    mark(row, "data-asset", item.asset);
    mark(row, "data-open", item.symbol === this.choices.symbol);
    this.columns.forEach(({ kind }, place) => {
      const value = kind === "spark" ? item.spark : item.cells[place];
      KINDS[kind].correct(row.cells[place], value);
    });
    const state = row.querySelector(".state");
    say(state, stateText(item, this.clock, this.now));
    mark(state, "title", item.state_title || null);
    correctVendor(row.querySelector(".of"), item.vendor);
    this.correctSession(row, item.session);
  }

  // In the place of figures that a closed market does not have.
  correctSession(row, session) {
    mark(row, "data-session", Boolean(session));
    const place = row.querySelector(".last-session");
    const [word, change, extremes] = place.children;
    say(word, session ? "last session " : "");
    say(change, session ? session.change : "");
    say(extremes, session ? `, ${session.low} – ${session.high}` : "");
    const brief = (second) => this.clock.brief(second, this.now);
    const title =
      session &&
      `Last session, ${brief(session.begin)} to ${brief(session.end)} ${this.clock.city}: from ${session.since} to its last, lowest to highest`;
    mark(place, "title", title || null);
  }
}

// How fresh a symbol's price is; of a closed market with the time of its last one, of what is
// halted since when.
export function stateText(item, clock, now) {
  if (item.since != null) return `${item.state_text} since ${clock.brief(item.since, now)}`;
  return item.last_ts == null
    ? item.state_text
    : `${item.state_text} · ${clock.brief(item.last_ts, now)}`;
}

function table(list, columns) {
  const headings = columns.map((column) =>
    h("th", { scope: "col", ...about(column), title: column.help }, column.heading),
  );
  return h(
    "table",
    {},
    h("caption", { class: list.name ? "" : "hidden" }, list.name || "What moves most"),
    h("colgroup", {}, ...columns.map((column) => h("col", about(column)))),
    h("thead", {}, h("tr", {}, ...headings)),
    h("tbody"),
  );
}

// The kind and the priority are for the style sheet, the name is that of a ranking.
function about({ name, kind, priority }) {
  return { "data-column": name, "data-kind": kind, "data-priority": priority };
}

// The arrow keys go from row to row.
function walk(event) {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const next = step && event.currentTarget[step]?.querySelector("button");
  if (!next) return;
  event.preventDefault();
  next.focus();
}

// What the list is ranked by, and how many symbols have a price.
function pricedText({ watched, priced, trading, trading_priced, early }, rank, isPast) {
  const shut = watched - trading;
  if (shut && !trading) return `by ${rank} · every market is closed`;
  if (!priced && isPast) return "no symbol had a price";
  if (!priced) return "No tick yet: the first prices appear as soon as a feed sends one.";
  const learning = early ? " · early" : "";
  if (shut)
    return `by ${rank} · ${trading_priced} of ${trading} open symbols have a price, ${shut} are closed${learning}`;
  return `by ${rank} · ${priced} of ${watched} symbols have a price${learning}`;
}
