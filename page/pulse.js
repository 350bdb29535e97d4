// The pulse card: what moves most, as a list, as tiles or as a list per class.

import { gliding, h, keyed, mark, say } from "./elements.js";
import { Hold } from "./hold.js";
import { Looks } from "./looks.js";
import { LEAST } from "./settling.js";
import { RankedTable } from "./table.js";
import { TilesCard } from "./tiles.js";
import { Tip } from "./tips.js";

const EARLY =
  "Early: of no symbol six hours of its own minutes are known yet, so each is judged by those of its class, or by its volatility alone";
const FORMS = ["list", "tiles", "by class"];
const TILES_PX = 2200;
const TOUCHES = ["pointermove", "pointerdown", "keydown", "wheel"];
const UNFOLDED = "market-pulse-unfolded";
const LOOKED = "market-pulse-look";

export class PulseCard {
  constructor(actions) {
    this.tip = new Tip();
    this.tiles = new TilesCard(actions);
    this.note = h("p", { class: "note" });
    this.lists = h("div", { class: "lists" });
    this.empty = h("p", { class: "empty" });
    this.forms = FORMS.map((form) =>
      h("button", { type: "button", onclick: () => actions.choose({ lists: form }) }, form),
    );
    this.actions = {
      open: actions.open,
      rank: (rank) => actions.choose({ rank }),
      showAll: () => actions.choose({ rows: this.payload.pulse.watched }),
      unfold: () => this.toggle(),
      tip: this.tip,
    };
    // Which group alone is shown.
    this.filter = h("button", {
      type: "button",
      class: "filter",
      title: "Show all symbols again",
      hidden: true,
      onclick: () => actions.choose({ group: "" }),
    });
    this.element = h(
      "section",
      { class: "card pulse", "aria-label": "Pulse" },
      h(
        "div",
        { class: "head" },
        h("h2", {}, "Pulse"),
        this.filter,
        h("div", { class: "forms", role: "group", "aria-label": "Shown as" }, ...this.forms),
        this.tiles.areas,
      ),
      this.empty,
      this.lists,
      this.tiles.element,
      this.note,
      this.tip.element,
    );
    this.isUnfolded = kept(UNFOLDED) === "true";
    this.looks = new Looks(localStorage, LOOKED);
    this.hold = new Hold(this.lists, () => this.settle());
    this.onTouch = () => this.looks.touch(Date.now());
    for (const name of TOUCHES) document.addEventListener(name, this.onTouch, { passive: true });
    this.onPrint = () => this.settle(true);
    window.addEventListener("beforeprint", this.onPrint);
  }

  close() {
    for (const name of TOUCHES) document.removeEventListener(name, this.onTouch);
    window.removeEventListener("beforeprint", this.onPrint);
  }

  draw(payload, board) {
    Object.assign(this, { payload, board });
    const { pulse, view, at } = payload;
    this.empty.hidden = pulse.watched > 0;
    say(this.empty, emptyText(view.group, payload.still_sec > 0));
    mark(this.lists, "data-dayless", !pulse.has_day);
    const { rank } = view;
    const isTiled = formOf(view) === "tiles";
    say(this.note, pricedText(pulse, { rank, isTiled, isPast: at !== null }));
    mark(this.note, "title", pulse.early ? EARLY : null);
    this.settle();
  }

  // Everything in its place, unless a hand holds it; what is out of sight, too, if it `isWhole`.
  settle(isWhole = false) {
    if (!this.payload) return;
    const { pulse, view, now } = this.payload;
    const { choices, clock } = this.board;
    const form = formOf(view);
    const isTiled = form === "tiles";
    mark(this.element, "data-form", form);
    this.lists.hidden = isTiled;
    this.tiles.element.hidden = this.tiles.areas.hidden = !isTiled;
    if (isTiled) return this.tiles.draw(this.payload, this.board);
    const { found, since } = this.changes();
    const context = {
      rank: view.rank,
      ranked: view.rank.split(" ")[0],
      chosen: [view.rank, view.rows, view.group].join("|"),
      choices,
      clock,
      now,
      isHeld: this.hold.isHeld(Date.now()),
      isUnfolded: this.isUnfolded,
      least: pulse.lists.length > 1 ? LEAST / 2 : LEAST,
      isWhole,
      isPast: this.payload.at !== null,
      isPassing: this.board.isPassing,
      looks: found,
      since: clock.brief(since / 1000, now),
    };
    gliding(this.element, () => {
      keyed(
        this.lists,
        pulse.lists,
        (list) => list.name || "all",
        (list) => {
          const table = new RankedTable(list, pulse.columns, this.actions);
          table.element.ranked = table;
          return table.element;
        },
        (element, list) => element.ranked.draw(list, context),
      );
    });
    this.tip.draw();
  }

  // What changed among the rows beyond their usual range since the viewer's last look. In the past, and
  // while the page is frozen, nothing does.
  changes() {
    const { pulse, view, at } = this.payload;
    if (at !== null || view.freeze) return { found: new Map(), since: Date.now() };
    const rows = pulse.lists.flatMap((list) => list.rows).filter((row) => !row.is_usual);
    const now = Date.now();
    // Nobody touches a wall.
    const isAway =
      document.hidden || (!view.kiosk && (!document.hasFocus() || this.looks.isAway(now)));
    const by = [view.rank, view.lists, view.group].join("|");
    return this.looks.marks(
      rows.map((row) => row.symbol),
      by,
      now,
      isAway,
    );
  }

  toggle() {
    this.isUnfolded = !this.isUnfolded;
    keep(UNFOLDED, String(this.isUnfolded));
    this.settle();
  }

  drawChoices(board) {
    this.board = board;
    const { choices } = board;
    this.forms.forEach((button, place) => {
      mark(button, "aria-pressed", String(formOf(choices) === FORMS[place]));
    });
    this.drawFilter(choices.group);
    this.tiles.drawChoices(board);
    this.settle();
  }

  drawFilter(group) {
    mark(this.element, "data-filtered", Boolean(group));
    this.filter.hidden = !group;
    say(this.filter, `${group} ✕`);
    mark(this.filter, "aria-label", `${group} alone: show all symbols again`);
  }

  // Give the focus to a symbol's row, if it is shown.
  focus(symbol) {
    this.element.querySelector(`[data-symbol="${CSS.escape(symbol)}"] button`)?.focus();
  }
}

// What the pulse is shown as, if that is left to the page: a wall has tiles.
export function formOf({ lists, kiosk }) {
  return lists === "auto" ? (kiosk ? "tiles" : "list") : lists;
}

// What a first visit chooses by itself: tiles, if the screen is as wide as they need.
export function firstChoice({ lists, kiosk }, width) {
  return lists === "auto" && !kiosk && width >= TILES_PX ? { lists: "tiles" } : {};
}

function kept(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function keep(name, text) {
  try {
    localStorage.setItem(name, text);
  } catch {
    // Where nothing may be kept, it lasts as long as the page.
  }
}

// What to do if there is nothing to list.
function emptyText(group, isUntold) {
  if (isUntold) return "Nothing is known yet: the process that collects tells what is watched.";
  return group
    ? `Nothing in the group ${group} is watched: press / to put a symbol into it, or show all.`
    : "No symbols are watched: press / to add one.";
}

// What a list is ranked by, and how many symbols have a price.
function pricedText(
  { watched, priced, trading, trading_priced, early },
  { rank, isTiled, isPast },
) {
  const shut = watched - trading;
  if (!watched) return "";
  // Tiles have the order of the watchlist.
  const by = isTiled ? "" : `by ${rank} · `;
  if (shut && !trading) return `${by}every market is closed`;
  if (!priced && isPast) return "no symbol had a price";
  if (!priced) return "No tick yet: the first prices appear as soon as a feed sends one.";
  const learning = early ? " · early" : "";
  if (shut)
    return `${by}${trading_priced} of ${trading} open symbols have a price, ${shut} are closed${learning}`;
  return `${by}${priced} of ${watched} symbols have a price${learning}`;
}
