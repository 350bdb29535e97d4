// What a viewer missed, and what was told already.

const KNOWN = 500;
const REMEMBERED = 300;

// The events that came while nobody looked.
export class Missed {
  constructor() {
    this.known = new Set();
    this.unseen = new Map(); // when each began, by its id
  }

  get count() {
    return this.unseen.size;
  }

  // When the first of them began.
  get since() {
    return Math.min(...this.unseen.values());
  }

  // These were on the page before they could be missed.
  know(events) {
    for (const event of events) this.known.add(event.id);
  }

  add(events, isAway) {
    for (const { id, ts } of events) if (isAway && !this.known.has(id)) this.unseen.set(id, ts);
    this.known = new Set([...this.known, ...events.map((event) => event.id)].slice(-KNOWN));
  }

  drop(events) {
    for (const { id } of events) this.unseen.delete(id);
  }

  clear() {
    this.unseen.clear();
  }
}

const toldHere = {};

// What is told once: an event that becomes more severe is told again.
const stateOf = ({ id, severity }) => `${id} ${severity}`;

// Those of `events` of which this viewer was not told in this way, in whichever tab; they count as
// told from now on.
export async function untold(way, events) {
  const key = `market-pulse.told.${way}`;
  const tell = () => {
    // If the browser's storage is closed or spoilt, at least once per tab.
    let told = (toldHere[way] ??= []);
    try {
      const stored = JSON.parse(localStorage.getItem(key));
      if (Array.isArray(stored)) told = [...new Set([...stored, ...told])];
    } catch {
      // As above.
    }
    const fresh = events.filter((event) => !told.includes(stateOf(event)));
    if (fresh.length) {
      toldHere[way] = [...told, ...fresh.map(stateOf)].slice(-REMEMBERED);
      try {
        localStorage.setItem(key, JSON.stringify(toldHere[way]));
      } catch {
        // As above.
      }
    }
    return fresh;
  };
  return navigator.locks ? navigator.locks.request(key, tell) : tell();
}
