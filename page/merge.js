// What the server sends, made whole: a message is a payload, or what changed since the one before.
//
// Nothing is changed in place, and what did not change stays the same object.

// The value after a change; what a change can say is told in deltas.py.
export function changed(value, change) {
  if ("is" in change) return change.is;
  if ("drop" in change) return [...value.slice(change.drop), ...change.add];
  return Array.isArray(value) ? changedList(value, change) : changedObject(value, change);
}

function changedList(list, { of, to = [], in: within = [] }) {
  const next = of ? of.map((place) => list[place]) : [...list];
  for (let i = 0; i < to.length; i += 2) next[to[i]] = to[i + 1];
  for (let i = 0; i < within.length; i += 2) {
    next[within[i]] = changed(next[within[i]], within[i + 1]);
  }
  return next;
}

function changedObject(object, { to = {}, in: within = {}, no = [] }) {
  const found = Object.entries(within).map(([name, change]) => [
    name,
    changed(object[name], change),
  ]);
  // Not by assignment, to which one name means something else.
  const next = { ...object, ...to, ...Object.fromEntries(found) };
  for (const name of no) delete next[name];
  return next;
}

// The messages of one tab, in the order in which they come.
export class Received {
  constructor() {
    this.number = null;
    this.payload = null;
  }

  // The payload after a message; null if it builds on one that never came.
  take({ number, base, payload, change }) {
    if (payload) this.payload = payload;
    else if (number !== this.number) {
      if (base !== this.number) return null;
      this.payload = changed(this.payload, change);
    }
    this.number = number;
    return this.payload;
  }
}
