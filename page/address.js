// The page's address: what is chosen, written into it and read back from it. Nobody else writes it.

const STEPS = ["symbol", "at", "rank", "lists", "group", "kiosk"]; // each is an entry of its own to go back to

export class Address {
  // `choose` is told what an address says when the viewer goes back or forward.
  constructor(choose) {
    this.onPop = () => choose(this.leave());
    globalThis.addEventListener("popstate", this.onPop);
  }

  close() {
    globalThis.removeEventListener("popstate", this.onPop);
  }

  // Write what differs from `first`, the view of an address that chooses nothing.
  write(choices, first) {
    this.first = first;
    const texts = written(choices, first);
    const before = this.texts;
    this.texts = texts;
    const wanted = withTexts(location.search, texts, Object.keys(first));
    if (wanted === location.search) return;
    const isStep = before && STEPS.some((name) => String(before[name]) !== String(texts[name]));
    const way = isStep ? "pushState" : "replaceState";
    history[way](history.state, "", `${location.pathname}${wanted}${location.hash}`);
  }

  // All that the address says now, as a choice.
  leave() {
    const params = new URLSearchParams(location.search);
    const found = {};
    for (const [name, value] of Object.entries(this.first)) {
      const texts = params.getAll(name);
      found[name] = texts.length ? readAs(value, name, texts) : value;
    }
    this.texts = written(found, this.first);
    return found;
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
  if (name === "at") return Math.floor(Date.parse(last) / 1000) || null;
  if (typeof usual === "boolean") return last === "true" || last === "1";
  return typeof usual === "number" ? Number(last) : last;
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
