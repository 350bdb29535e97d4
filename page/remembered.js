// What this browser remembers of events: which are dealt with, of which symbols it tells nothing for a
// while, and what is folded. All its tabs share it, through the browser's storage; where that is
// closed or spoilt each tab has its own.

const KEY = "market-pulse.remembered";
const MOST_EVENTS = 300;
const MOST_SYMBOLS = 100;
const GRADES = ["watch", "alert", "extreme"];

// Times are in milliseconds since the epoch.
export class Remembered {
  constructor(storage = ownStorage()) {
    this.storage = storage;
    this.held = "";
    this.kept = { done: [], snoozed: [], folded: [] };
  }

  // Whether an event is dealt with: it is until it becomes more severe.
  isDone({ id, severity }) {
    const [, grade] = this.read().done.find(([known]) => known === id) ?? [];
    return grade !== undefined && GRADES.indexOf(severity) <= GRADES.indexOf(grade);
  }

  // Deal with an event, or not.
  acknowledge({ id, severity }, isDone = true) {
    const others = this.read().done.filter(([known]) => known !== id);
    this.write({ done: isDone ? [...others, [id, severity]].slice(-MOST_EVENTS) : others });
  }

  // What is snoozed: symbols, and until when.
  snoozes(now) {
    return this.read().snoozed.filter(([, until]) => until > now);
  }

  isSnoozed(symbol, now) {
    return this.snoozes(now).some(([name]) => name === symbol);
  }

  // Tell nothing of a symbol until an instant; one that has passed lifts it.
  snooze(symbol, until, now) {
    const others = this.snoozes(now).filter(([name]) => name !== symbol);
    const all = until > now ? [...others, [symbol, until]] : others;
    this.write({ snoozed: all.slice(-MOST_SYMBOLS) });
  }

  isFolded(name) {
    return this.read().folded.includes(name);
  }

  fold(name, isFolded) {
    const others = this.read().folded.filter((other) => other !== name);
    this.write({ folded: isFolded ? [...others, name] : others });
  }

  // What is kept, another tab's last word included. It is only taken apart when it changed.
  read() {
    let text = this.held;
    try {
      text = this.storage?.getItem(KEY) ?? this.held;
    } catch {
      // It is closed: what this tab knows has to do.
    }
    if (text !== this.held) {
      this.held = text;
      this.kept = checked(text) ?? this.kept;
    }
    return this.kept;
  }

  write(changed) {
    this.kept = { ...this.read(), ...changed };
    this.held = JSON.stringify(this.kept);
    try {
      this.storage?.setItem(KEY, this.held);
    } catch {
      // Likewise.
    }
  }
}

// Touching it may be refused already.
function ownStorage() {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}

// What a text holds if it is what was written here; anybody may write into a browser's storage.
function checked(text) {
  try {
    const { done, snoozed, folded } = JSON.parse(text);
    return {
      done: pairs(done, (grade) => GRADES.includes(grade)).slice(-MOST_EVENTS),
      snoozed: pairs(snoozed, Number.isFinite).slice(-MOST_SYMBOLS),
      folded: folded.filter((name) => typeof name === "string"),
    };
  } catch {
    return null;
  }
}

function pairs(list, isGood) {
  return list.filter(([name, value]) => typeof name === "string" && isGood(value));
}
