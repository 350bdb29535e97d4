// What a list folds away, small and quiet below its line: name, price, move of the last minute and, if
// the screen has room for it, the last quarter of an hour of each symbol, always in the same order.

import { correctSpark, sparkLine } from "./cells.js";
import { h, keyed, mark, say } from "./elements.js";
import { InSight } from "./in_sight.js";

const SHOWN = ["last", "1m"];
const CLASSES = ["stocks", "forex", "crypto"];

export class UsualStrip {
  constructor(columns, open) {
    this.columns = columns;
    this.open = open;
    this.inSight = new InSight((entry) => this.correct(entry, entry.latest));
    this.element = h("ul", { class: "usual", "aria-label": "Within their usual range" });
  }

  // `rows` are those that are folded, in any order; what is out of sight follows if they are `isWhole`.
  draw(rows, isWhole) {
    this.element.hidden = !rows.length;
    keyed(
      this.element,
      rows.toSorted(inOrder),
      (_, place) => place,
      () => this.inSight.watch(this.entry()),
      (entry, row) => {
        entry.latest = row;
        if (isWhole || !this.inSight.isFar(entry, rows.length)) this.correct(entry, row);
      },
    );
  }

  entry() {
    const onclick = ({ currentTarget }) => this.open(currentTarget.parentElement.latest.symbol);
    const parts = [h("b"), h("span"), h("span"), sparkLine()];
    return h("li", {}, h("button", { type: "button", onclick }, ...parts));
  }

  // What has no new price says so in the place of its move.
  correct(entry, row) {
    if (entry.row === row) return;
    entry.row = row;
    const button = entry.firstChild;
    const [symbol, price, move, spark] = button.children;
    say(symbol, row.symbol);
    const [last, [text, tone]] = SHOWN.map((name) => this.cell(row, name));
    const isLive = row.state_text === "live";
    say(price, last);
    say(move, isLive ? text : row.state_text);
    mark(move, "data-tone", isLive ? tone : null);
    correctSpark(spark, row.spark ?? "");
    mark(button, "title", isLive ? `${row.symbol} ${text} in 1 min` : null);
  }

  cell(row, name) {
    return row.cells[this.columns.findIndex((column) => column.name === name)];
  }
}

// By class, then by name: where an entry stands does not depend on what it does.
function inOrder(one, other) {
  const by = CLASSES.indexOf(one.asset) - CLASSES.indexOf(other.asset);
  return by || (one.symbol < other.symbol ? -1 : 1);
}
