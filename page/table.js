// A table of the pulse: a row per symbol in the order of a rank, with those within their usual range
// folded into one line.

import { correctVendor, KINDS } from "./cells.js";
import { h, keyed, mark, say } from "./elements.js";
import { InSight } from "./in_sight.js";
import { atMost, displaced, eased, folded, inPlace, settled } from "./settling.js";
import { UsualStrip } from "./usual.js";

const WORDLESS = ["price", "text", "signed", "change", "word", "spark"];
const HELD = {
  1: "Stands higher by now: rows change places only for a reason, and not under the pointer",
  [-1]: "Stands lower by now: rows change places only for a reason, and not under the pointer",
};
const LONG = 10; // letters: a name that may take two lines where the list is narrow
const IN_FRONT = "Stands lower by its figure: its event keeps it in front for three minutes";

export class RankedTable {
  // `actions` open a symbol, rank, fold and unfold, show all, and hold the tip of the headings.
  constructor({ name }, columns, actions) {
    Object.assign(this, {
      columns,
      actions,
      shown: [],
      items: new Map(),
      rows: new Map(),
      made: 0,
    });
    this.inSight = new InSight((row) => {
      const item = this.items.get(row.dataset.symbol);
      if (item && row.isConnected) this.correctRow(row, item);
    });
    this.headings = columns.map((column) => this.heading(column, name));
    this.body = h("tbody", { onpointerover: (event) => this.entitle(event.target.closest("td")) });
    this.unfold = h("button", { type: "button", class: "unfold", onclick: actions.unfold });
    this.all = h("button", { type: "button", class: "all", onclick: actions.showAll });
    this.line = h("p", { class: "folded", onkeydown: walk }, this.unfold, this.all);
    this.usual = new UsualStrip(columns, actions.open);
    const table = h(
      "table",
      {},
      h("caption", { class: "hidden" }, name || "What moves most"),
      h("colgroup", {}, ...columns.map((column) => h("col", about(column)))),
      h("thead", {}, h("tr", {}, ...this.headings)),
      this.body,
    );
    this.element = h("div", { class: "ranked" }, table, this.line, this.usual.element);
  }

  // A list of one class is headed by it in the place of the word for its symbols.
  heading(column, name) {
    const { orders } = column;
    const onclick = () => {
      if (orders.length) this.actions.rank(nextOrder(orders, this.context.rank));
    };
    const text = (column.kind === "name" && name) || column.heading;
    const button = h("button", { type: "button", onclick }, text);
    mark(button, "data-sorts", orders.length > 0);
    const heading = h("th", { scope: "col", ...about(column) }, button);
    this.actions.tip.over(heading, () => this.explained(column));
    return heading;
  }

  // What a heading's figures are, with those of the row that is opened or else the first.
  explained(column) {
    const place = this.columns.indexOf(column);
    const symbol = this.items.has(this.context.choices.symbol)
      ? this.context.choices.symbol
      : this.shown[0];
    const item = this.items.get(symbol);
    const words = item && KINDS[column.kind].words(item.cells[place]);
    return {
      name: column.heading,
      help: `${column.help}.`,
      own: words ? `${symbol}: ${words}` : "",
    };
  }

  // A figure that has no words of its own says what it is once the pointer is over it.
  entitle(cell) {
    const column = cell && this.columns[cell.cellIndex];
    if (!WORDLESS.includes(column?.kind)) return;
    const { item } = cell.parentNode;
    const words = KINDS[column.kind].words(item.cells[cell.cellIndex]);
    mark(cell, "title", words ? `${item.symbol} ${words}: ${column.help}` : column.help);
  }

  draw(list, context) {
    const { rows } = list;
    this.context = context;
    this.items = new Map(rows.map((row) => [row.symbol, row]));
    const { rest, waiting } = this.place(rows);
    this.correctLine(list, rest, waiting);
    this.assign();
    this.usual.draw(
      rest.map((symbol) => this.items.get(symbol)),
      context.isWhole,
    );
    keyed(
      this.body,
      this.shown.map((symbol) => this.items.get(symbol)),
      (row) => this.rows.get(row.symbol),
      () => this.inSight.watch(this.row()),
      (row, item) => {
        if (context.isWhole || !this.inSight.isFar(row, this.shown.length))
          this.correctRow(row, item);
      },
    );
    this.correctRank(context);
  }

  correctRank({ rank, ranked }) {
    if (this.rank === rank) return;
    this.rank = rank;
    this.headings.forEach((heading, place) => {
      const sorts = this.columns[place].orders.includes(rank);
      mark(heading, "aria-sort", sorts ? direction(rank) : null);
      mark(heading, "data-order", sorts ? (rank.split(" ")[1] ?? "size") : null);
    });
    for (const cell of this.element.querySelectorAll("[data-column]"))
      mark(cell, "data-ranked", cell.dataset.column === ranked);
  }

  // Choose who is shown, and where: who else is folded, and who waits to be shown.
  place(rows) {
    const { isHeld, isUnfolded, isPast, isPassing, choices, chosen } = this.context;
    const kept = new Set([choices.symbol, this.focused()]);
    const names = rows.map((row) => row.symbol);
    // Another moment may make the list longer, and does not make it shorter again.
    const least = Math.max(this.context.least, isPast ? this.shown.length : 0);
    const split = isUnfolded ? { shown: names, rest: [] } : folded(rows, kept, least);
    // A hand holds what comes by itself, and nothing that it chose.
    const key = `${chosen}|${isUnfolded}|${isPast}`;
    const isSame = this.key === key;
    const holds = isHeld && isSame;
    // While moments pass it has one length, so that what is below does not jump.
    const { length } = this.shown;
    const most = isPassing && length && !isUnfolded ? length : Infinity;
    // Who came meanwhile is shown when the hand has gone.
    const stays = new Set(holds ? this.shown : atMost(split.shown, kept, most));
    const [calm, strict] = [names, settled(rows)].map((all) =>
      all.filter((name) => stays.has(name)),
    );
    if (holds) this.shown = inPlace(this.shown, calm);
    // Once the hand has gone everything may move, and does; the calm begins with that.
    else this.shown = isSame && !this.held ? eased(this.shown, calm, strict) : strict;
    Object.assign(this, { key, held: holds });
    this.marks = displaced(this.shown, strict);
    const shown = new Set(this.shown);
    const rest = names.filter((name) => !shown.has(name));
    return { rest, waiting: split.shown.filter((name) => !shown.has(name)) };
  }

  // Each symbol has a row, which moves with it. Another moment is another list: then the symbols
  // change in rows that stay where they are.
  assign() {
    const before = [...this.rows.values()];
    const jumps = this.context.isPast || this.wasPast;
    this.wasPast = this.context.isPast;
    const rowOf = (symbol, place) =>
      (jumps ? before[place] : this.rows.get(symbol)) ?? (this.made += 1);
    this.rows = new Map(this.shown.map((symbol, place) => [symbol, rowOf(symbol, place)]));
  }

  focused() {
    const { activeElement } = this.element.getRootNode();
    return this.body.contains(activeElement) ? activeElement.closest("tr").dataset.symbol : null;
  }

  // How many are folded, and how many are left out because the list takes the top movers only.
  correctLine({ usual, hidden, hidden_movers }, rest, waiting) {
    const { isUnfolded } = this.context;
    const count = usual - this.shown.filter((symbol) => this.items.get(symbol).is_usual).length;
    const more = isUnfolded || !rest.length ? hidden : hidden_movers;
    this.unfold.hidden = isUnfolded ? !usual : !rest.length;
    mark(this.unfold, "aria-expanded", String(isUnfolded));
    say(this.unfold, isUnfolded ? foldText(usual) : unfoldText(count, usual, waiting));
    this.all.hidden = !more;
    say(this.all, `${more} more: show all`);
    this.line.hidden = this.unfold.hidden && this.all.hidden;
  }

  toggle({ currentTarget }) {
    const { symbol } = currentTarget.closest("tr").dataset;
    this.actions.open(this.context.choices.symbol === symbol ? "" : symbol);
  }

  row() {
    const toggle = (event) => this.toggle(event);
    const cells = this.columns.map((column) => {
      const isName = column.kind === "name";
      const isRanked = column.name === this.context.ranked;
      const attributes = {
        ...about(column),
        "data-ranked": isRanked,
        scope: isName ? "row" : null,
      };
      return h(isName ? "th" : "td", attributes, ...KINDS[column.kind].make(toggle));
    });
    return h("tr", { onclick: toggle, onkeydown: walk }, ...cells);
  }

  correctRow(row, item) {
    const { choices, clock } = this.context;
    this.rename(row, item.symbol);
    mark(row, "data-open", item.symbol === choices.symbol);
    this.correctMarks(row, item);
    // Of a day that is told in words these change with the hour.
    const isTimeless = !item.session && item.last_ts == null && item.since == null;
    if (row.item === item && row.clock === clock && isTimeless) return;
    Object.assign(row, { item, clock });
    mark(row, "data-state", item.state.match(/\w+/)[0]);
    mark(row, "data-asset", item.asset);
    mark(row, "data-usual", Boolean(item.is_usual));
    mark(row, "data-long", item.symbol.length + (item.vendor ? 1 : 0) >= LONG);
    this.columns.forEach(({ kind }, place) => {
      KINDS[kind].correct(row.cells[place], item.cells[place], item);
    });
    const state = row.querySelector(".state");
    say(state, stateText(item, clock, this.context.now));
    mark(state, "title", item.state_title || null);
    mark(state, "data-plain", item.state_text === "live");
    correctVendor(row.querySelector(".of"), item.vendor);
    this.correctSession(row, item.session);
  }

  // What stands behind another name, or below it, is made anew: it is not what stood there before, moved.
  rename(row, symbol) {
    const before = row.dataset.symbol;
    if (before === symbol) return;
    if (before && before !== this.focused())
      row.cells[0].replaceChildren(...KINDS.name.make((event) => this.toggle(event)));
    mark(row, "data-symbol", symbol);
  }

  // Who would stand elsewhere, and what changed since the viewer's last look.
  correctMarks(row, { symbol, is_in_front }) {
    const name = row.cells[0];
    const held = this.marks.get(symbol);
    const by = held ?? (is_in_front ? -1 : 0);
    const [sign] = name.children;
    sign.hidden = !by;
    say(sign, by > 0 ? "▲" : by < 0 ? "▼" : "");
    mark(sign, "title", held ? HELD[held] : is_in_front ? IN_FRONT : null);
    const change = this.context.looks.get(symbol);
    say(name.lastChild, change ? (change === "NEW" ? "NEW" : `▲${change}`) : "");
    mark(name.lastChild, "title", change ? changeText(change, this.context.since) : null);
  }

  // In the place of figures that a closed market does not have.
  correctSession(row, session) {
    mark(row, "data-session", Boolean(session));
    const place = row.querySelector(".last-session");
    const [word, change, extremes] = place.children;
    say(word, session ? "last session " : "");
    say(change, session ? session.change : "");
    say(extremes, session ? `, ${session.low} – ${session.high}` : "");
    const { clock, now } = this.context;
    const brief = (second) => clock.brief(second, now);
    const title =
      session &&
      `Last session, ${brief(session.begin)} to ${brief(session.end)} ${clock.city}: from ${session.since} to its last, lowest to highest`;
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

// What the next click on a heading ranks by.
export function nextOrder(orders, rank) {
  return orders[(orders.indexOf(rank) + 1) % orders.length];
}

// Which way a rank goes; names begin with A, all else with the largest.
export function direction(rank) {
  return rank.endsWith(" down") === rank.startsWith("name") ? "descending" : "ascending";
}

// The line that those within their usual range are folded into, with those that wait to leave it.
export function unfoldText(count, usual, waiting) {
  const more = count < usual ? " more" : "";
  // All of them could be more than a line has room for.
  const [first, ...others] = waiting;
  const names = others.length > 1 ? `${first} and ${others.length} more` : waiting.join(", ");
  const news = waiting.length ? ` · ▲ ${names}` : "";
  return `${count}${more} within their usual range${news}`;
}

function foldText(usual) {
  return `Fold the ${usual} within their usual range`;
}

function changeText(change, since) {
  if (change === "NEW") return `Beyond its usual range since your last look at ${since}`;
  return `Up ${change} ${change === 1 ? "place" : "places"} since your last look at ${since}`;
}

// The kind and the priority are for the style sheet, the name is that of a ranking.
function about({ name, kind, priority }) {
  return { "data-column": name, "data-kind": kind, "data-priority": priority };
}

// The arrow keys go from row to row, and to the line below them.
function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const lists = event.currentTarget.closest(".ranked");
  const rows = [...lists.querySelectorAll("tbody tr, .folded:not([hidden])")];
  const next =
    rows[rows.indexOf(event.currentTarget) + step]?.querySelector("button:not([hidden])");
  if (!next) return;
  event.preventDefault();
  next.focus();
}
