// The page's address: what is chosen, written into it and read back from it. Nobody else writes it.

// Each of these is an entry of its own to go back to, and of these two even if no card was used for it.
const STEPS = ["symbol", "at", "rank", "lists", "group", "kiosk"];
const SETTINGS = ["rank", "lists"];
const OWN = ["sound", "notify"]; // of this tab, wherever it goes
const LAST = Date.UTC(9999, 11, 30) / 1000; // of the moments that every time zone can show
const SETTLED_MS = 2500; // a moment that stood for less is on the way to another

export class Address {
  // `choose` is told what an address says when the viewer goes back or forward: as choices, and as the
  // texts that say it, which need not be possible.
  constructor(choose) {
    this.onPop = (event) => {
      if (!this.first) return;
      // Streamlit would run its whole script again.
      event.stopImmediatePropagation();
      choose(...this.read());
    };
    this.onHold = () => {
      this.heldAt = Date.now();
    };
    this.onRelease = () => {
      this.heldAt = null;
    };
    globalThis.addEventListener("popstate", this.onPop, true);
    globalThis.addEventListener("pointerdown", this.onHold, true);
    for (const name of ["pointerup", "pointercancel"])
      globalThis.addEventListener(name, this.onRelease, true);
  }

  close() {
    globalThis.removeEventListener("popstate", this.onPop, true);
    globalThis.removeEventListener("pointerdown", this.onHold, true);
    for (const name of ["pointerup", "pointercancel"])
      globalThis.removeEventListener(name, this.onRelease, true);
  }

  // Write what differs from `first`, the view of an address that chooses nothing. What was chosen on
  // the board may be a step; of what the server says that is only what was set behind the gear.
  write(choices, first, isChosen) {
    this.first = first;
    const texts = written(choices, first);
    const before = this.texts;
    this.texts = texts;
    const wanted = withTexts(location.search, texts, Object.keys(first));
    const differs = (name) => String(before[name]) !== String(texts[name]);
    const steps = before ? (isChosen ? STEPS : SETTINGS).filter(differs) : [];
    const isOnTheWay = steps.join() === "at" && this.isOnTheWay(before, texts);
    if (steps.includes("at")) this.movedAt = Date.now();
    if (wanted === location.search) return;
    const way = steps.length && !isOnTheWay ? "pushState" : "replaceState";
    history[way](history.state, "", `${location.pathname}${wanted}${location.hash}`);
  }

  // Whether the moment of before is one that was passed: by a drag that goes on, or by what plays.
  isOnTheWay(before, texts) {
    if (!this.movedAt) return false;
    if (this.heldAt && this.movedAt >= this.heldAt) return true;
    return Boolean(before.at && texts.at) && Date.now() - this.movedAt < SETTLED_MS;
  }

  // All that the address says now, as choices and as texts.
  read() {
    const params = new URLSearchParams(location.search);
    const [choices, said] = [{}, {}];
    for (const [name, usual] of Object.entries(this.first)) {
      if (OWN.includes(name)) continue;
      const texts = params.getAll(name);
      choices[name] = texts.length ? readAs(usual, name, texts) : usual;
      said[name] = texts.length ? texts : usual;
    }
    this.texts = written(choices, this.first);
    this.movedAt = null;
    return [choices, said];
  }
}

// A link to what is chosen for somebody else, who decides about sound and notifications alone.
export function link(choices, first) {
  const quiet = { ...choices, sound: first.sound, notify: first.notify };
  return location.origin + location.pathname + withTexts("", written(quiet, first), []);
}

// The texts of each parameter.
export function written(choices, first) {
  const texts = {};
  for (const [name, usual] of Object.entries(first)) {
    const value = choices[name];
    if (String(value) === String(usual)) continue;
    texts[name] = Array.isArray(value) ? value.map(String) : [textOf(name, value)];
  }
  return texts;
}

function textOf(name, value) {
  return name === "at" ? new Date(value * 1000).toISOString().replace(".000", "") : String(value);
}

function readAs(usual, name, texts) {
  const [last] = texts.slice(-1);
  if (Array.isArray(usual)) return texts;
  if (name === "at") return readMoment(last);
  if (typeof usual === "boolean") return last === "true" || last === "1";
  return typeof usual === "number" ? Number(last) : last;
}

// Null if it is none, or one of a year that has no four digits.
function readMoment(text) {
  const second = Math.floor(Date.parse(text) / 1000);
  return second > 0 && second <= LAST ? second : null;
}

// An address with `texts` in the place of the parameters of these `names`; others are somebody else's.
function withTexts(search, texts, names) {
  const params = new URLSearchParams(search);
  for (const name of names) params.delete(name);
  for (const [name, values] of Object.entries(texts))
    for (const value of values) params.append(name, value);
  const text = params.toString().replaceAll("%3A", ":");
  return text && `?${text}`;
}
