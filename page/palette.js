// The command palette: one field over the page that finds symbols, groups and commands, by Ctrl-K, ⌘K
// or a slash.

import { h, keyed, mark, say } from "./elements.js";
import { asksFor, finds, isCall, moved, offers, ROOT, sought } from "./offers.js";

const MOST_TYPED = 40;
const MOVES = ["ArrowDown", "ArrowUp", "PageDown", "PageUp"];
const LIST = "palette-list";

export class Palette {
  constructor({ choose, ask, open, slip, copyLink, help }) {
    Object.assign(this, { choose, ask, open, slip, copyLink, help });
    this.stages = [ROOT];
    this.lines = [];
    this.field = h("input", {
      type: "text",
      role: "combobox",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
      maxlength: MOST_TYPED,
      "aria-autocomplete": "list",
      "aria-controls": LIST,
      "aria-expanded": "true",
      "aria-describedby": "palette-keys",
      oninput: () => this.type(),
    });
    this.back = h(
      "button",
      { type: "button", class: "back", "aria-label": "Back", onclick: () => this.leave() },
      "‹",
    );
    const out = h(
      "button",
      { type: "button", class: "out", "aria-label": "Close", onclick: () => this.hide() },
      "✕",
    );
    this.list = h("div", { class: "list", role: "listbox", id: LIST, "aria-label": "Found" });
    this.nothing = h("p", { class: "empty" });
    this.told = h("p", { class: "said", role: "status" });
    this.rooms = h("span");
    const keys = h(
      "span",
      { class: "keys", id: "palette-keys" },
      "↑ ↓ choose · Enter does it · → more · Escape back",
    );
    this.element = h(
      "dialog",
      { class: "palette", "aria-label": "Find" },
      h("div", { class: "top" }, this.back, this.field, out),
      h("div", { class: "found" }, this.list, this.nothing),
      this.told,
      h("p", { class: "foot" }, this.rooms, keys),
    );
    this.listen();
  }

  listen() {
    this.onKey = (event) => {
      if (this.element.open || !this.payload || !isCall(event, isField(event.composedPath()[0])))
        return;
      event.preventDefault();
      this.show();
    };
    document.addEventListener("keydown", this.onKey);
    this.element.addEventListener("keydown", (event) => this.onOwnKey(event));
    this.element.addEventListener("click", ({ target }) => {
      // The dialog itself is hit beside what it holds alone.
      if (target === this.element) this.hide();
    });
    this.element.addEventListener("close", () => this.choose({ find: null }));
  }

  // End it for good.
  close() {
    document.removeEventListener("keydown", this.onKey);
  }

  // Open it at a stage.
  show(stage = ROOT) {
    if (!this.payload || this.element.open) return;
    this.jumper = this.jumps();
    this.element.showModal();
    say(this.told, "");
    this.choose({ find: "" });
    this.enter([stage]);
  }

  hide() {
    if (this.element.open) this.element.close();
    // Else it has the focus until the next frame, and takes the key that would call it again.
    this.field.blur();
  }

  get stage() {
    return this.stages.at(-1);
  }

  enter(stages) {
    this.stages = stages;
    this.field.value = this.stage.from ?? "";
    this.field.select();
    this.type();
  }

  leave() {
    if (this.stages.length > 1) this.enter(this.stages.slice(0, -1));
    else this.hide();
  }

  lead(stage) {
    const before = this.stages.filter((one) => one.kind !== "name");
    this.enter(stage === ROOT ? [ROOT] : [...before, stage]);
  }

  type() {
    this.active = null;
    this.isEntered = false;
    say(this.told, "");
    const find = this.sought;
    if (finds(this.stage) && find !== this.choices.find) this.choose({ find });
    else this.refresh();
    this.list.scrollTop = 0;
  }

  // Keys. None leaves the palette: the page below has meanings of its own for some.

  onOwnKey(event) {
    event.stopPropagation();
    const { key } = event;
    const isOnField = event.target === this.field;
    const isEmpty = !this.field.value;
    const calls = isCall(event, false) && key !== "/";
    if (calls) this.hide();
    else if (key === "Escape") this.leave();
    else if (!isOnField || event.isComposing) return;
    else if (MOVES.includes(key)) this.move(key);
    else if (key === "Enter") this.press();
    else if (key === "ArrowRight" && this.isAtEnd() && this.activeLine?.leads)
      this.lead(this.activeLine.leads);
    else if (["Backspace", "ArrowLeft"].includes(key) && isEmpty && this.stages.length > 1)
      this.leave();
    else return;
    event.preventDefault();
  }

  isAtEnd() {
    return this.field.selectionStart === this.field.value.length;
  }

  get activeLine() {
    return this.lines.find(({ key }) => key === this.active);
  }

  move(key) {
    const keys = this.lines.map((line) => line.key);
    this.active = moved(this.active, keys, key);
    this.point();
    this.option(this.active)?.scrollIntoView({ block: "nearest" });
  }

  press() {
    // Who types fast means what is found of it, not what stood there before.
    const line = this.activeLine;
    this.isEntered = this.isLate() && !isMeant(line, this.sought.trim().toLowerCase());
    if (!this.isEntered) this.act(line);
  }

  act(line) {
    if (!line) return;
    const { does, why } = line;
    if (!does) return say(this.told, why);
    say(this.told, "");
    // While the field still has the focus: then the keyboard goes on in what is opened.
    if (does.open) this.open(does.open);
    if (does.closes) this.hide();
    if (does.choose) this.choose(does.choose);
    for (const wish of does.asks ?? []) this.ask(wish);
    if (does.call === "play") this.play(this.jumper);
    else if (does.call) this[does.call]();
    if (does.leads) this.lead(does.leads);
    else if (!does.closes) this.field.select();
  }

  // Have a symbol of the simulated market jump, any if there is none; whoever looks back would miss it.
  play(symbol = this.choices.symbol) {
    const { at, freeze } = this.choices;
    if (at !== null || freeze) this.choose({ at: null, freeze: false });
    this.ask({ ask: "play", symbol });
  }

  // Tell what was answered to what was asked, which is `about` something.
  tell(about, text) {
    if (this.element.open) say(this.told, text);
    else this.slip(about, text);
  }

  // Drawing.

  draw(payload, board) {
    this.payload = payload;
    this.drawChoices(board);
    if (!this.isEntered || this.isLate()) return;
    this.isEntered = false;
    this.act(this.activeLine);
  }

  drawChoices(board) {
    this.board = board;
    this.choices = board.choices;
    if (this.element.open) this.refresh();
  }

  // What symbols are looked for by.
  get sought() {
    return sought(this.stage, this.field.value);
  }

  isLate() {
    const { payload, choices, board } = this;
    const isAnswered = choices.find === this.sought && payload.taken >= board.number;
    return finds(this.stage) && !(payload.find && isAnswered);
  }

  refresh() {
    const { payload, choices } = this;
    const { find, watch } = payload;
    const text = this.field.value.trim();
    const isLate = this.isLate();
    // Until the answer is there, what is left of the former one.
    const lines = (find?.lines ?? []).filter(
      ({ symbol }) => !isLate || symbol.includes(this.sought.trim().toUpperCase()),
    );
    const { jumper } = this;
    this.lines = offers(this.stage, text, { lines, watch, choices, jumper });
    const keys = this.lines.map(({ key }) => key);
    // With nothing typed yet Enter is for nothing.
    const isUntouched = this.stage === ROOT && !text;
    if (!isUntouched || this.active) this.active = moved(this.active, keys, "");
    const sections = [...new Set(this.lines.map(({ section }) => section))];
    keyed(
      this.list,
      sections,
      (name) => name,
      sectionElement,
      (element, name) => {
        keyed(
          element.lastChild,
          this.lines.filter((line) => line.section === name),
          ({ key }) => key,
          ({ key }) => this.optionElement(key),
          correctOption,
        );
      },
    );
    this.point();
    const found = this.lines.some(({ by }) => by);
    say(this.nothing, isLate || found || !text || !finds(this.stage) ? "" : (find.nothing ?? ""));
    this.nothing.hidden = !this.nothing.textContent;
    mark(this.field, "placeholder", asksFor(this.stage));
    mark(this.field, "aria-label", asksFor(this.stage));
    this.back.hidden = this.stages.length < 2;
    say(this.rooms, watch.rooms.join(" · "));
  }

  // Mark the line that Enter would be for.
  point() {
    const active = this.option(this.active);
    for (const option of this.list.querySelectorAll("[role=option]"))
      mark(option, "aria-selected", String(option === active));
    mark(this.field, "aria-activedescendant", active?.id ?? null);
  }

  option(key) {
    return [...this.list.querySelectorAll("[role=option]")].find((one) => one.dataset.key === key);
  }

  optionElement(key) {
    this.made = (this.made ?? 0) + 1;
    const more = h("span", { class: "more", "aria-hidden": "true", title: "More" }, "›");
    const option = h(
      "div",
      { class: "line", role: "option", id: `palette-${this.made}`, "data-key": key },
      h("b"),
      h("span", { class: "on" }),
      h("span", { class: "says" }),
      h("span", { class: "verb" }),
      more,
      h("span", { class: "why" }),
    );
    const line = () => this.lines.find((one) => one.key === key);
    option.addEventListener("pointermove", () => {
      if (this.active === key) return;
      this.active = key;
      this.point();
    });
    // The field keeps the keyboard.
    option.addEventListener("pointerdown", (event) => event.preventDefault());
    option.addEventListener("click", ({ target }) => {
      if (target === more && line()?.leads) this.lead(line().leads);
      else this.act(line());
    });
    return option;
  }

  // A symbol that a stress can be played of: the one that is looked at, or one whose prices come.
  jumps() {
    const { choices, payload } = this;
    const rows = payload.pulse.lists.flatMap((list) => list.rows);
    const shut = new Set(rows.filter(({ state }) => state !== "live").map(({ symbol }) => symbol));
    const known = [choices.symbol, choices.base, ...rows.map(({ symbol }) => symbol)];
    return known.find((symbol) => symbol && !shut.has(symbol)) ?? "";
  }
}

function sectionElement(name) {
  return h(
    "div",
    { role: "group", "aria-label": name },
    h("div", { class: "section", role: "presentation" }, name),
    h("div", { role: "presentation" }),
  );
}

function correctOption(option, { label, isOn, on, says, verb = "", does, leads, why }) {
  const [name, mark_, beside, action, more, below] = option.children;
  say(name, label);
  say(mark_, isOn ? `✓ ${on}` : "");
  say(beside, says ?? "");
  say(action, verb);
  more.hidden = !leads;
  say(below, why ?? "");
  mark(option, "aria-disabled", does ? null : "true");
}

// Whether a line is what a text means, whatever else may be found of it.
function isMeant(line, text) {
  const label = line?.label.toLowerCase() ?? "";
  return Boolean(text) && (line?.by ? label === text : label.startsWith(text));
}

// Whether what has the focus takes what is typed.
function isField(target) {
  return Boolean(
    target?.isContentEditable || target?.matches?.("input:not([type=range]), textarea, select"),
  );
}
