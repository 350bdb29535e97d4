// Telling of new events: toasts, sound, notifications and the title, each event once per viewer.

import { h, mark, say } from "./elements.js";
import { MARKS, SEVERITIES, passes } from "./stress.js";

const TITLE = "Market Pulse";
const TOAST_MS = 7000;
const TOASTS = 3;
const KNOWN = 500;
const REMEMBERED = 300;
const ALLOWED_MS = 300;
const BEEPS = { watch: [660], alert: [880, 880], extreme: [1040, 1040, 1040] };

export class Teller {
  constructor({ choose, show }) {
    Object.assign(this, { choose, show });
    this.missed = new Missed();
    this.isFirst = true;
    this.news = [];
    const chip = { type: "button", class: "chip", role: "switch" };
    this.sound = h("button", {
      ...chip,
      title: "A tone for new events, in a hidden tab too; higher and more often the more severe",
      onclick: () => this.switchSound(),
    });
    this.notify = h("button", {
      ...chip,
      title: "A notification of the system for new events, in a hidden tab too",
      onclick: () => this.switchNotify(),
    });
    this.toasts = h("div", { class: "toasts", role: "status", "aria-label": "New events" });
  }

  close() {
    this.audio?.close();
  }

  get canSound() {
    return this.audio?.state === "running";
  }

  drawChoices({ choices }) {
    this.choices = choices;
    mark(this.sound, "aria-checked", String(choices.sound));
    mark(this.notify, "aria-checked", String(choices.notify));
    say(this.sound, soundText(choices.sound, this.canSound));
    say(this.notify, notifyText(choices.notify, !this.cannotNotify));
  }

  // Browsers let a page make a sound only after a gesture on it. One on the switch itself is that
  // gesture, not a wish to switch off.
  onGesture() {
    this.wasSilenced = Boolean(this.choices?.sound) && !this.canSound;
    if (this.wasSilenced) this.allowSound();
  }

  async switchSound() {
    if (!this.wasSilenced) this.choose({ sound: !this.choices.sound });
    this.wasSilenced = false;
    if (!this.choices.sound) return;
    await Promise.all([this.allowSound(), this.letPass("sound")]);
    this.beep("watch");
  }

  async allowSound() {
    this.audio ??= new AudioContext();
    // Waits for ever if it is not allowed.
    const late = new Promise((done) => setTimeout(done, ALLOWED_MS));
    await Promise.race([this.audio.resume(), late]);
    this.drawChoices(this);
  }

  async switchNotify() {
    const isUnasked = globalThis.Notification?.permission === "default";
    const isOn = !this.choices.notify || isUnasked;
    if (isOn && isUnasked) await Notification.requestPermission();
    if (isOn) await this.letPass("notify");
    this.choose({ notify: isOn });
  }

  // What is on the page before it was asked to tell needs no telling.
  async letPass(...ways) {
    const wanted = this.news.filter((event) => passes(event, this.choices));
    this.missed.know(wanted);
    await Promise.all(ways.map((way) => untold(way, wanted)));
  }

  // What came at `now`. That an event is over is no news of it.
  async tell(news, now) {
    this.news = news;
    const since = this.toldAt;
    this.toldAt = now;
    if (this.isFirst) {
      this.isFirst = false;
      return this.letPass("toast", "sound", "notify");
    }
    const passing = news.filter((event) => passes(event, this.choices));
    // One that began and ended while the tab slept was missed all the same.
    this.missed.add(
      passing.filter((event) => !event.over || event.ts > since),
      document.hidden,
    );
    this.title();
    const wanted = passing.filter((event) => !event.over);
    if (!document.hidden) {
      for (const event of await untold("toast", wanted)) this.toast(event);
    }
    if (this.choices.sound && this.canSound) {
      const fresh = await untold("sound", wanted);
      const severest = SEVERITIES.findLast((name) =>
        fresh.some((event) => event.severity === name),
      );
      if (severest) this.beep(severest);
    }
    if (this.choices.notify && globalThis.Notification?.permission === "granted") {
      for (const event of await untold("notify", wanted)) this.notification(event);
    }
  }

  // Somebody looks at the page.
  onSeen() {
    this.missed.clear();
    this.title();
  }

  title() {
    const { count } = this.missed;
    const title = count ? `(${count}) ${TITLE}` : TITLE;
    if (document.title !== title) document.title = title;
  }

  notification(event) {
    try {
      const notification = new Notification(`${event.severity}: ${event.symbol || event.asset}`, {
        body: whole(event),
        tag: event.id,
        renotify: true,
      });
      notification.onclick = () => {
        globalThis.focus();
        notification.close();
        this.show(event.symbol, Math.floor(event.updated));
      };
    } catch {
      // Some browsers of phones have the name, and no way to use it from a page.
      this.cannotNotify = true;
      this.drawChoices(this);
    }
  }

  toast(event) {
    const { severity } = event;
    this.slip(`${MARKS[severity]} ${severity}`, whole(event), severity);
  }

  // What was answered to what was asked of the alerts, once.
  answer({ answer, answered }, words) {
    const isNew = this.answered !== undefined && this.answered !== answered;
    this.answered = answered;
    if (isNew && answer.length) this.slip("Alerts", words(answer));
  }

  // Each in a row of its own, in which it stays: none pushes another.
  slip(head, text, severity = null) {
    const toasts = [...this.toasts.children];
    if (toasts.length === TOASTS) toasts.shift().remove();
    const used = toasts.map((other) => other.style.gridRow);
    const rows = Array.from({ length: TOASTS }, (_, row) => String(TOASTS - row));
    const toast = h(
      "div",
      { class: "toast", "data-severity": severity },
      h("strong", {}, head),
      h("span", {}, text),
    );
    toast.style.gridRow = rows.find((row) => !used.includes(row));
    this.toasts.append(toast);
    setTimeout(() => toast.remove(), TOAST_MS);
  }

  beep(severity) {
    if (!this.canSound) return;
    const { audio } = this;
    BEEPS[severity].forEach((pitch, place) => {
      const start = audio.currentTime + place * 0.22;
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.0001, start);
      volume.gain.exponentialRampToValueAtTime(0.15, start + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.18);
      tone.connect(volume).connect(audio.destination);
      tone.start(start);
      tone.stop(start + 0.2);
    });
  }
}

function whole({ text, more }) {
  return [text, more].filter(Boolean).join("; ");
}

function soundText(isOn, isAllowed) {
  if (!isOn) return "Sound off";
  return isAllowed ? "Sound on" : "Sound: click to allow";
}

function notifyText(isOn, isPossible) {
  if (!isSecureContext) return "Notify: needs https";
  if (!("Notification" in globalThis) || !isPossible) return "Notify: not in this browser";
  if (Notification.permission === "denied") return "Notify: blocked in browser";
  if (!isOn) return "Notify off";
  return Notification.permission === "granted" ? "Notify on" : "Notify: click to allow";
}

// The events that came while nobody looked.
export class Missed {
  constructor() {
    this.known = new Set();
    this.unseen = new Set();
  }

  get count() {
    return this.unseen.size;
  }

  // These were on the page before they could be missed.
  know(events) {
    for (const event of events) this.known.add(event.id);
  }

  add(events, isHidden) {
    for (const { id } of events) if (isHidden && !this.known.has(id)) this.unseen.add(id);
    this.known = new Set([...this.known, ...events.map((event) => event.id)].slice(-KNOWN));
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
