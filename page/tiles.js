// The pulse as tiles: a rectangle per symbol, in the order of the watchlist, side by side by class. How
// strong its colour is tells how unusual its move is; its place tells nothing, so that it never changes.

import { h, keyed, mark, say } from "./elements.js";
import { equal, sized } from "./treemap.js";

const AREAS = ["equal", "range"];
const SETTLE_MS = 10_000; // areas that follow the market change so seldom
const LEAST = 0.4; // of a usual hour's range: a symbol that stands still is still to be seen
const MOST = 3;
const ROOM = [64, 48]; // the least that a tile is, in pixels at the usual size of type
const ROOMS = [
  [64, 46],
  [96, 58],
  [170, 100],
  [250, 130],
]; // from so much width and height on, more is written, and larger
const BASE_PX = 14;
const HEADING = 1.6; // height of a class's heading, in lines of type

export class TilesCard {
  constructor({ open, choose }) {
    this.open = open;
    this.buttons = AREAS.map((area) =>
      h("button", { type: "button", onclick: () => choose({ area }) }, area),
    );
    const about = { class: "areas", role: "group", "aria-label": "Area of a tile" };
    this.areas = h("div", about, h("span", {}, "area"), ...this.buttons);
    this.element = h("div", { class: "tiles", hidden: true });
    this.sizes = new Map();
    new ResizeObserver(() => this.lay()).observe(this.element);
  }

  draw({ pulse }, { choices }) {
    Object.assign(this, { pulse, choices });
    this.places = Object.fromEntries(pulse.columns.map(({ name }, place) => [name, place]));
    this.told = toldBy(pulse.columns, choices.rank);
    keyed(
      this.element,
      pulse.lists,
      ({ name }) => name,
      ({ name }) => h("section", { "aria-label": name }, h("h3", {}, name), h("div")),
      (section, { rows }) => {
        keyed(
          section.lastChild,
          rows,
          ({ symbol }) => symbol,
          (row) => this.tile(row),
          (tile, row) => this.correct(tile, row),
        );
      },
    );
    this.measure();
  }

  drawChoices({ choices }) {
    this.choices = choices;
    this.buttons.forEach((button, place) => {
      mark(button, "aria-pressed", String(choices.area === AREAS[place]));
    });
    for (const tile of this.element.querySelectorAll(".tile"))
      mark(tile, "data-open", tile.dataset.symbol === choices.symbol);
    if (this.pulse) this.measure();
  }

  tile({ symbol }) {
    const onclick = () => this.open(this.choices.symbol === symbol ? "" : symbol);
    const parts = [h("b"), h("span", { class: "last" }), h("span", { class: "move" })];
    const about = { type: "button", class: "tile", "data-symbol": symbol, onclick };
    return h("button", about, ...parts, h("span", { class: "state" }));
  }

  correct(tile, row) {
    mark(tile, "data-open", row.symbol === this.choices.symbol);
    if (tile.row === row && tile.told === this.told) return;
    Object.assign(tile, { row, told: this.told });
    const [name, last, move, state] = tile.children;
    const { text, tone } = this.told(row);
    const isLive = row.state === "live" && row.state_text === "live";
    mark(tile, "data-tone", tone);
    mark(tile, "data-state", row.state.match(/\w+/)[0]);
    say(name, row.symbol);
    say(last, row.cells[this.places.last]);
    say(move, row.session ? row.session.change : text);
    say(state, isLive ? "" : row.state_text);
    mark(
      tile,
      "title",
      [row.symbol, last.textContent, move.textContent, state.textContent]
        .filter(Boolean)
        .join(" · "),
    );
  }

  // What decides the areas, and a new layout if that has changed.
  measure() {
    const now = Date.now();
    const key = [
      this.choices.area,
      ...this.pulse.lists.map(({ rows }) => rows.map(({ symbol }) => symbol)),
    ].join();
    const isRested = this.choices.area === "range" && now - this.measuredAt >= SETTLE_MS;
    if (key === this.key && !isRested) return;
    Object.assign(this, { key, measuredAt: now });
    this.shares = this.pulse.lists.map(({ rows }) =>
      rows.map(({ weight = 0 }) =>
        this.choices.area === "range" ? Math.min(MOST, Math.max(LEAST, weight)) : 1,
      ),
    );
    this.lay();
  }

  lay() {
    if (!this.shares || !this.element.clientWidth) return;
    const scale = parseFloat(getComputedStyle(this.element).fontSize) / BASE_PX;
    const sections = [...this.element.children];
    const wide = this.element.clientWidth;
    const smallest = ROOM[0] * ROOM[1] * scale ** 2;
    const count = this.shares.flat().length;
    const heading = HEADING * BASE_PX * scale;
    this.element.style.setProperty(
      "--least",
      `${Math.ceil((count * smallest) / wide + 3 * heading)}px`,
    );
    const high = this.element.clientHeight;
    const totals = this.shares.map((shares) => shares.reduce((sum, share) => sum + share, 0));
    const all = totals.reduce((sum, total) => sum + total, 0);
    const isRow = wide > high;
    const free = isRow ? wide : high - heading * sections.length;
    const isEqual = this.choices.area !== "range";
    const rooms = new Map();
    let along = 0;
    sections.forEach((section, place) => {
      const long = (free * totals[place]) / all + (isRow ? 0 : heading);
      const box = isRow
        ? { left: along, top: 0, width: long, height: high }
        : { left: 0, top: along, width: wide, height: long };
      along += long;
      put(section, box);
      const size = [box.width, box.height - heading];
      const shares = this.shares[place];
      const found = isEqual ? equal(shares.length, ...size) : sized(shares, ...size);
      [...section.lastChild.children].forEach((tile, at) => {
        put(tile, found[at]);
        rooms.set(tile, room(found[at], scale));
      });
    });
    // What is equal is written in one size.
    const least = Math.min(...rooms.values());
    for (const [tile, own] of rooms) mark(tile, "data-room", isEqual ? least : own);
  }
}

function put(element, { left, top, width, height }) {
  for (const [name, value] of Object.entries({ left, top, width, height }))
    element.style.setProperty(name, `${value.toFixed(1)}px`);
}

function room({ width, height }, scale) {
  return ROOMS.filter(([wide, high]) => width >= wide * scale && height >= high * scale).length;
}

// What a tile tells of a row: the move that it is ranked by, or else its heat.
function toldBy(columns, rank) {
  const ranked = columns.findIndex(
    ({ name, kind }) => name === rank.split(" ")[0] && (kind === "signed" || kind === "change"),
  );
  if (ranked >= 0) {
    return ({ cells }) => ({ text: cells[ranked][0], tone: cells[ranked][1] });
  }
  const heat = columns.findIndex(({ kind }) => kind === "heat");
  return ({ cells }) => {
    const [text, tone, ago] = cells[heat];
    return { text: [text, ago].filter(Boolean).join(" "), tone };
  };
}
