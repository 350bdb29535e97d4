// The board: composes the cards, holds what the viewer chooses, and lives as long as its element.
//
// What is chosen is in `choices`: the view that the server sent, and over it what it has not taken yet,
// which is shown at once. The browser writes it into the address. Cards build their elements once and
// then only correct them.

import { Address } from "./address.js";
import { AlertsCard, Muting } from "./alerts.js";
import { Asked } from "./asked.js";
import { Awake } from "./awake.js";
import { CatchingUp } from "./catching_up.js";
import { Chrome } from "./chrome.js";
import { Clock } from "./clock.js";
import { CorrelationsCard } from "./correlations.js";
import { h, mark } from "./elements.js";
import { Leave, Menu, onEscape, Tabs } from "./frame.js";
import { Headline } from "./headline.js";
import { Hour } from "./hour.js";
import { Lost } from "./lost.js";
import { Received } from "./merge.js";
import { Palette } from "./palette.js";
import { opened } from "./panels.js";
import { firstChoice, PulseCard } from "./pulse.js";
import { Remembered } from "./remembered.js";
import { Details, Messages } from "./status.js";
import { StressCard } from "./stress.js";
import { SymbolCard } from "./symbol.js";
import { Teller } from "./teller.js";
import { Ticker } from "./ticker.js";

const GESTURES = ["pointerdown", "keydown"];
const SENT_MS = 120; // what is chosen within this time is sent as one
const TICK_MS = 2000;
const LATE_MS = 4000; // a hidden tab that wants to be told asks for itself after this long
const STALE_MS = 1000; // a tab brought back asks at once if its payload is older
const AGAIN_MS = 4000; // without word for so long and a refresh, the page asks to be begun again

class Board {
  constructor(root) {
    this.root = root;
    this.choices = null;
    this.pending = {}; // what was chosen of the view and is not taken yet
    this.said = null; // what an address said of it, as its texts
    this.isPassing = false; // one moment after the other is shown, dragged or played
    this.held = null; // the second of a frozen page that a server lost
    this.panels = { ...opened(""), earlier: false, event: "", since: null, find: null };
    this.number = 0;
    this.asked = new Asked();
    this.address = new Address((...found) => this.arrive(...found));
    this.carried = [];
    this.build();
    this.listen();
  }

  build() {
    const actions = {
      choose: (changed) => this.choose(changed),
      lookAt: (second, isPassing) => this.lookAt(second, isPassing),
      open: (symbol) => this.open(symbol),
      refuse: (note) => this.refuse(note),
      ask: (wish) => hub().ask?.(this.asked.with(wish, this.payload.alerts.answered)),
      show: (event) => this.show(event),
      mute: (...where) => this.muting.open(...where),
      see: () => this.catchingUp.see(),
      dismiss: () => this.catchingUp.dismiss(),
      silence: () => this.teller.forget(),
      slip: (head, text) => this.teller.slip(head, text),
      copyLink: () => this.settings.copyLink(),
      help: () => hub().help?.(),
      find: (stage) => this.palette.show(stage),
      play: () => this.palette.play(),
    };
    this.muting = new Muting(actions);
    this.alerts = new AlertsCard(actions, this.muting);
    this.remembered = new Remembered();
    this.teller = new Teller(actions, this.remembered);
    this.details = new Details(actions);
    const bells = [this.alerts.trouble, this.teller.bell];
    this.chrome = new Chrome(actions, bells, () => this.teller.canSound);
    const switches = [this.teller.sound, this.teller.notify];
    this.settings = new Menu(actions, [...switches, this.alerts.button, this.details.button]);
    this.menu = this.settings.element;
    this.tabs = new Tabs(this.root);
    this.leave = new Leave(() => this.choose({ kiosk: false }));
    this.awake = new Awake(actions.refuse);
    this.lost = new Lost(this.root);
    this.messages = new Messages();
    this.headline = new Headline(actions);
    this.hour = new Hour(actions);
    this.pulse = new PulseCard(actions);
    this.symbol = new SymbolCard(actions);
    this.stress = new StressCard(actions, this.remembered);
    this.correlations = new CorrelationsCard(actions);
    this.palette = new Palette(actions);
    const side = h("div", { class: "side" }, this.stress.element, this.correlations.element);
    const cards = h("div", { class: "cards" }, this.pulse.element, side);
    const page = [this.chrome.element, this.headline.element, this.hour.element, cards];
    this.root.append(
      h("h1", { class: "hidden" }, "Market Pulse"),
      h("div", { class: "frame" }, ...page),
      this.symbol.element,
      this.chrome.panel,
      this.alerts.element,
      this.details.element,
      h("div", { class: "notices" }, this.lost.element, this.messages.element),
      this.tabs.element,
      this.leave.element,
      this.palette.element,
      this.teller.toasts,
    );
  }

  listen() {
    this.onVisible = () => {
      if (document.hidden) return;
      this.shownAt = Date.now();
      // What the timer slept through is fetched at once.
      if (Date.now() - hub().receivedAt > STALE_MS) hub().wake?.();
    };
    this.onGesture = (event) => [this.teller, this.hour].forEach((one) => one.onGesture(event));
    document.addEventListener("visibilitychange", this.onVisible);
    for (const name of GESTURES) document.addEventListener(name, this.onGesture);
    this.catchingUp = new CatchingUp(this);
    this.unlisten = onEscape(this);
    this.ticker = new Ticker(TICK_MS, () => {
      const wants = this.choices?.sound || this.choices?.notify;
      if (document.hidden && wants && Date.now() - hub().receivedAt > LATE_MS) hub().wake?.();
      this.askAgain();
      this.drawLost();
    });
  }

  close() {
    document.removeEventListener("visibilitychange", this.onVisible);
    for (const name of GESTURES) document.removeEventListener(name, this.onGesture);
    this.unlisten();
    clearTimeout(this.sending);
    const { catchingUp, stress, address, ticker, hour, teller, pulse } = this;
    const parts = [catchingUp, stress, address, ticker, hour, teller, pulse];
    for (const part of [...parts, this.leave, this.awake, this.palette]) part.close();
  }

  // Streamlit may lose the end of what it sends, and with it the word that this tab refreshes: it
  // does if it is asked again in the moment in which a run has ended. A whole run says it anew.
  askAgain() {
    if (!this.payload || document.hidden) return;
    const heard = Math.max(hub().receivedAt, this.shownAt ?? 0, this.askedAt ?? 0);
    if (Date.now() - heard < AGAIN_MS + 1000 * this.payload.refresh.sec) return;
    this.askedAt = Date.now();
    hub().again?.();
  }

  // Choices.

  // New values by name, of the view or of the panels. What only passes, as under a hand that drags,
  // is sent now and then, and is one step to go back to however much of it there is.
  choose(changed, isPassing = false) {
    this.carried = [];
    this.said = null;
    this.isPassing = isPassing && changed.at !== null;
    for (const [name, value] of Object.entries(changed)) {
      if (name in this.panels) this.panels[name] = value;
      else this.pending[name] = value;
    }
    this.number = Math.max(Date.now(), this.number + 1);
    this.mix();
    this.drawChoices();
    const isFiltering = "severity" in changed || "events" in changed;
    if (isFiltering) this.teller.letPass("toast", "sound", "notify");
    if (isPassing && this.sending) return;
    clearTimeout(this.sending);
    this.sending = setTimeout(() => this.send(), SENT_MS);
  }

  // What this screen chooses on a first visit, before there is an address to go back to.
  chooseFirst() {
    const found = this.isChosen ? {} : firstChoice(this.choices, innerWidth);
    this.isChosen = true;
    if (!Object.keys(found).length) return;
    this.pending = { ...found, ...this.pending };
    this.number = Math.max(Date.now(), this.number + 1);
    this.mix();
    this.sending = setTimeout(() => this.send());
  }

  // A server that was away knows only the address of the tab's first load: what was chosen since
  // is chosen again, over what it showed `before`; what stood still stands at the same second.
  chooseAgain({ view, at }) {
    this.pending = { ...view, ...this.pending };
    if (view.freeze && view.at === null) this.held = at;
    this.said = null;
    this.number = Math.max(Date.now(), this.number + 1);
    clearTimeout(this.sending);
    this.sending = setTimeout(() => this.send());
  }

  send() {
    this.sending = null;
    const { number, pending, panels, said, held } = this;
    this.address.write(this.choices, this.payload.first, true);
    const is_link = Boolean(said);
    hub().choose?.({ number, changed: said ?? pending, panels, is_link, held });
  }

  // Back at an address, which is shown as it was; the server says what of it is not possible.
  arrive(choices, said) {
    const before = this.choices.symbol;
    this.choose(choices);
    this.said = said;
    if (before && !choices.symbol) this.pulse.focus(before);
  }

  // What is shown as chosen.
  mix() {
    this.choices = { ...this.payload.view, ...this.pending, ...this.panels };
  }

  // Whether what is shown is what was chosen.
  get isAnswered() {
    return this.payload.taken >= this.number;
  }

  lookAt(second, isPassing = false) {
    this.choose(this.moment(second), isPassing);
  }

  // A second as a choice; null is live. What is held still is let go for it.
  moment(second) {
    const [oldest, newest] = this.payload.reach;
    const isLive = second === null || second >= newest;
    return { at: isLive ? null : Math.max(second, oldest), freeze: false };
  }

  open(symbol) {
    const before = this.choices.symbol;
    this.choose({ symbol });
    // Who came by keyboard goes on there; a pointer leaves it on the row.
    const focused = this.root.getRootNode().activeElement;
    if (symbol) this.symbol.reveal(Boolean(focused?.matches(":focus-visible")));
    else if (before) this.pulse.focus(before);
  }

  // The symbol of an event at the second of its peak, and its row marked; a wall stays as it is.
  show({ id, symbol, ts }) {
    if (this.choices.kiosk) return;
    this.choose({ ...(symbol && { symbol }), ...this.moment(ts) });
    if (symbol) this.symbol.reveal(false);
    this.stress.mark(id);
  }

  // What was asked for is not possible.
  refuse(note) {
    this.carried = [note];
    this.messages.reopen(note);
    this.messages.draw(this.payload, this, this.carried);
  }

  // Drawing.

  draw(payload) {
    const before = this.payload;
    this.payload = payload;
    const { view, status } = payload;
    if (before && before.session !== payload.session) this.chooseAgain(before);
    // The server may have let a moment go, or changed what a control says.
    if (this.isAnswered) {
      this.pending = {};
      this.said = null;
      this.held = null;
    }
    this.mix();
    this.chooseFirst();
    if (this.isAnswered) this.address.write(this.choices, payload.first, false);
    const zone = `${view.tz}|${status.dated}`;
    if (zone !== this.zone) [this.zone, this.clock] = [zone, new Clock(view, status.dated)];
    mark(this.root, "data-colours", view.colours);
    mark(this.root, "data-kiosk", view.kiosk);
    mark(this.root, "data-lists", view.lists);
    this.messages.draw(payload, this, this.carried);
    const { chrome, headline, alerts, details, hour, pulse, correlations, symbol, palette } = this;
    const cards = [chrome, headline, alerts, details, hour, pulse, correlations, symbol, palette];
    for (const card of cards) card.draw(payload, this);
    this.drawChoices();
    this.root.style.visibility = "visible";
    this.drawLost();
    this.headline.drawMissed(payload.since, this.panels.since, this.clock);
    this.teller.tell(payload, this.catchingUp.isAway, this.stress.isInView);
    this.teller.answer(payload.alerts, (parts) => {
      this.palette.tell(this.asked.about, this.alerts.words(parts));
    });
  }

  // What depends on what is chosen here, before the server has answered.
  drawChoices() {
    this.stress.draw(this.payload, this);
    this.hour.drawMoment(this.payload, this);
    this.awake.draw(this.choices);
    const { chrome, settings, teller, alerts, details, pulse, correlations, symbol } = this;
    const cards = [chrome, settings, teller, alerts, details, pulse, correlations, symbol];
    for (const card of [...cards, this.palette]) card.drawChoices(this);
  }

  fail() {
    this.root.style.visibility = "visible";
    this.messages.fail();
  }

  drawLost() {
    if (!this.payload || document.hidden) return;
    this.lost.draw(hub().receivedAt, this.shownAt ?? 0, this.payload.refresh.sec);
  }
}

// What the board and the pipe share.
function hub() {
  return (globalThis.marketPulse ??= {});
}

export function board({ parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".market-pulse");
  hub().again = () => setTriggerValue("again", Date.now());
  hub().help = () => setTriggerValue("help", Date.now());
  if (!root.board) {
    root.board = new Board(root);
    const received = new Received();
    hub().draw = () => root.board.draw(hub().payload);
    hub().take = () => {
      try {
        const message = JSON.parse(new TextDecoder().decode(hub().message));
        const payload = received.take(message);
        if (!payload) return hub().askWhole();
        hub().payload = payload;
        // What stood in the board's place until now.
        document.getElementById("market-pulse-skeleton")?.remove();
        hub().draw();
      } catch (error) {
        // Better said than a page that stands still, or stays blank.
        root.board.fail();
        throw error;
      }
    };
    if (hub().message) hub().take();
  }
  return () => {
    root.board?.close();
    delete root.board;
    root.replaceChildren();
    for (const name of ["take", "draw", "again", "help"]) delete hub()[name];
  };
}
