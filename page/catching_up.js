// Catching up: what happened while nobody looked, asked for when somebody is back, and shown.

import { Presence } from "./presence.js";
import { CLASSES } from "./stress.js";

const SHOWN_MS = 60_000;

export class CatchingUp {
  constructor(board) {
    this.board = board;
    const onLeave = () => {
      this.leftAt = board.payload?.live_now;
    };
    this.presence = new Presence(onLeave, () => this.ask());
    this.unfollow = this.presence.follow();
  }

  close() {
    this.unfollow();
    clearTimeout(this.leaving);
  }

  get isAway() {
    return document.hidden || this.presence.isAway(Date.now());
  }

  // What happened since the viewer left, by the market's clock. Who does not ask for it within a minute
  // of looking has read it.
  ask() {
    if (!this.leftAt || this.board.choices.kiosk) return;
    this.board.choose({ since: Math.floor(this.leftAt) });
    clearTimeout(this.leaving);
    this.leaving = setTimeout(() => this.dismiss(), SHOWN_MS);
  }

  dismiss() {
    clearTimeout(this.leaving);
    if (this.board.panels.since !== null) this.board.choose({ since: null });
  }

  // Show what was missed, which is live, whatever the filter was.
  see() {
    const { board } = this;
    const { missed } = board.teller;
    const unseen = missed.count ? missed.since : board.payload.live_now;
    const since = board.panels.since ?? unseen;
    clearTimeout(this.leaving);
    board.choose({ ...board.moment(null), severity: "watch", events: CLASSES, since: null });
    board.tabs.show("stress");
    board.stress.markSince(since);
    board.teller.seeAll();
  }
}
