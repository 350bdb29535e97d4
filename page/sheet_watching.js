// Whether the symbol of the sheet is watched, and the groups it is in: how to change that.

import { h, keyed, say } from "./elements.js";

const FIXED = "From the settings: change it in their file, and restart.";
const INTO = "into ";
const NEW = "new";

export class Watching {
  constructor({ ask, find }) {
    this.ask = ask;
    this.find = find;
    this.build();
  }

  // `watch` is what may be changed, `unlisted` the symbol if it has no prices here: not watched any
  // more, or not yet.
  draw(symbol, watch, unlisted) {
    Object.assign(this, { symbol, unlisted });
    const isWatched = !unlisted || unlisted.watched;
    say(this.words, unlisted ? unlistedText(unlisted) : "");
    this.words.hidden = !unlisted;
    say(this.button, isWatched ? "Remove from watchlist" : "Watch it again");
    this.button.hidden = Boolean(watch.fixed) || !(isWatched || unlisted.room);
    this.drawGroups(watch.groups, isWatched);
  }

  drawGroups(groups, isWatched) {
    const isIn = ({ symbols }) => symbols.includes(this.symbol);
    const own = groups.filter(isIn);
    this.groups.hidden = !isWatched || !own.length;
    this.more.hidden = !isWatched;
    keyed(
      this.groups,
      own,
      ({ name, fixed }) => `${fixed} ${name}`,
      ({ name, fixed }) => {
        if (fixed) return h("span", { class: "chip", title: FIXED }, name);
        const onclick = () => this.ask({ ask: "take", name, symbol: this.symbol });
        const label = `Take it out of the group ${name}`;
        return h(
          "button",
          { type: "button", class: "chip", onclick, "aria-label": label },
          `${name} ✕`,
        );
      },
      () => {},
    );
    const others = groups.filter((group) => !group.fixed && !isIn(group)).map(({ name }) => name);
    const offered = others.join("\n");
    if (offered === this.offered) return;
    this.offered = offered;
    this.more.replaceChildren(
      h("option", { value: "" }, "Put into a group…"),
      ...others.map((name) => h("option", { value: `${INTO}${name}` }, name)),
      h("option", { value: NEW }, "New group…"),
    );
  }

  build() {
    this.words = h("p", { hidden: true });
    this.groups = h("div", { class: "chips", role: "group", "aria-label": "Groups" });
    this.more = h("select", {
      "aria-label": "Put into a group",
      onchange: () => {
        const { value } = this.more;
        this.more.value = "";
        const { symbol } = this;
        if (value === NEW) this.find({ kind: "name", symbols: [symbol] });
        else if (value) this.ask({ ask: "put", name: value.slice(INTO.length), symbol });
      },
    });
    this.button = h("button", { type: "button", class: "chip", onclick: () => this.toggle() });
    this.element = h(
      "div",
      { class: "watching" },
      ...[this.words, this.groups, this.more, this.button],
    );
  }

  toggle() {
    const { symbol, unlisted } = this;
    if (!unlisted || unlisted.watched) this.ask({ ask: "remove", symbol });
    else this.ask({ ask: "add", asset: unlisted.asset, symbol });
  }
}

function unlistedText({ watched, note }) {
  if (watched) return "Watched, but no price of it has come yet.";
  return `Not watched any more: no prices of it are collected.${note && ` ${note}`}`;
}
