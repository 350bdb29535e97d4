// What changed in a list since the viewer last looked at it. The browser alone knows when that was.

import { displaced } from "./settling.js";

const AWAY_MS = 120_000; // whoever touches nothing for so long has looked away
const SEEN_MS = 10_000; // a mark that was there to be seen for so long fades
const OLD_MS = 86_400_000; // an older look is as good as none

export class Looks {
  // `store` keeps texts by name, as a browser's own does.
  constructor(store, name) {
    Object.assign(this, { store, name, begun: new Map(), touchedAt: -Infinity });
    this.seen = this.read();
  }

  touch(now) {
    this.touchedAt = now;
  }

  isAway(now) {
    return now - this.touchedAt > AWAY_MS;
  }

  // The marks of a list of names that is in an order `by` something: NEW, or by how many places one
  // rose, each by name; and when the viewer last looked. They wait for whoever `isAway`.
  marks(names, by, now, isAway) {
    if (!this.seen || this.seen.by !== by || now - this.seen.at > OLD_MS) this.see(names, by, now);
    const since = this.seen.at;
    const found = changes(this.seen.names, names);
    if (isAway) {
      this.begun.clear();
      return { found, since };
    }
    for (const name of this.begun.keys()) if (!found.has(name)) this.begun.delete(name);
    for (const name of found.keys()) if (!this.begun.has(name)) this.begun.set(name, now);
    const isSeen = (name) => now - this.begun.get(name) >= SEEN_MS;
    for (const name of [...found.keys()].filter(isSeen)) {
      found.delete(name);
      this.begun.delete(name);
    }
    if (!found.size) this.see(names, by, now);
    return { found, since };
  }

  see(names, by, now) {
    const isSame = this.seen?.by === by && String(this.seen.names) === String(names);
    this.seen = { at: now, by, names };
    if (isSame && now - this.savedAt < SEEN_MS) return;
    this.savedAt = now;
    try {
      this.store.setItem(this.name, JSON.stringify(this.seen));
    } catch {
      // Where nothing may be kept, marks begin anew with each load.
    }
  }

  read() {
    try {
      const { at, by, names } = JSON.parse(this.store.getItem(this.name));
      const isSound = Number.isFinite(at) && typeof by === "string" && Array.isArray(names);
      return isSound ? { at, by, names: names.map(String) } : null;
    } catch {
      return null;
    }
  }
}

// What is new among `names`, and what rose by how many places, against `before`.
export function changes(before, names) {
  const found = new Map();
  const rises = displaced(before, names);
  names.forEach((name, place) => {
    const former = before.indexOf(name);
    if (former < 0) found.set(name, "NEW");
    else if (rises.get(name) === 1 && former > place) found.set(name, former - place);
  });
  return found;
}
