// Asked: what the viewer asked the server to do, numbered. Pure but for the clock.

const KEPT = 10; // so many are sent again with the next
const ABOUT = {
  play: "Simulated market",
  add: "Watchlist",
  remove: "Watchlist",
  put: "Groups",
  take: "Groups",
  "make group": "Groups",
  "rename group": "Groups",
  "delete group": "Groups",
};

export class Asked {
  constructor() {
    this.number = 0;
    this.kept = [];
  }

  // What to send: the new `wish` and those before it, as what is sent quickly may overtake them;
  // numbers, larger than that of what was `answered` last, tell what is new.
  with(wish, answered) {
    this.number = Math.max(Date.now(), this.number + 1, answered + 1);
    this.kept = [...this.kept, { number: this.number, ask: wish }].slice(-KEPT);
    return this.kept;
  }

  // What an answer is about: what was asked last.
  get about() {
    return ABOUT[this.kept.at(-1)?.ask.ask] ?? "Alerts";
  }
}
