// Telling of new events: toasts, sound, notifications and the title, each event once per viewer.

import { Badge } from "./badge.js";
import { h, mark, s, say } from "./elements.js";
import { MARKS } from "./event_row.js";
import { Missed, untold } from "./missed.js";
import { SEVERITIES, passes } from "./stress.js";

const BELL =
  "M8 1.2a1 1 0 0 1 1 1v.5a4.3 4.3 0 0 1 3.3 4.2v2.6l1.4 2.2v.8H2.3v-.8l1.4-2.2V6.9a4.3 4.3 0 0 1 3.3-4.2v-.5a1 1 0 0 1 1-1zM6.3 13.5h3.4a1.7 1.7 0 0 1-3.4 0z";
const TITLE = "Market Pulse";
const TOAST_MS = 7000;
const TOASTS = 3;
const ALLOWED_MS = 300;
const SEEN_MS = 10_000; // what was in view for so long was seen
const BETWEEN_MS = 5000; // more between two payloads is no looking
const BEEPS = { watch: [660], alert: [880, 880], extreme: [1040, 1040, 1040] };

export class Teller {
  // `show` opens what an event is of, `see` shows those that were missed; `remembered` knows what this
  // browser tells nothing of.
  constructor({ choose, show, see }, remembered) {
    Object.assign(this, { choose, show, remembered });
    this.missed = new Missed();
    this.icon = new Badge();
    this.isFirst = true;
    this.news = [];
    this.muted = [];
    this.seenMs = 0;
    const chip = { type: "button", role: "switch" };
    this.sound = h("button", {
      ...chip,
      class: "chip sound",
      title: "A tone for new events, in a hidden tab too; higher and more often the more severe",
      onclick: () => this.switchSound(),
    });
    this.notify = h("button", {
      ...chip,
      class: "chip notify",
      title: "A notification of the system for new events, in a hidden tab too",
      onclick: () => this.switchNotify(),
    });
    this.unseen = h("span");
    this.bell = h(
      "button",
      { type: "button", class: "chip bell", onclick: see },
      s("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, s("path", { d: BELL })),
      this.unseen,
    );
    this.toasts = h("div", { class: "toasts", role: "status", "aria-label": "New events" });
    this.title();
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
  // gesture, not a wish to switch off. What came before it is not heard late.
  onGesture() {
    this.wasSilenced = Boolean(this.choices?.sound) && !this.canSound;
    if (!this.wasSilenced) return;
    this.letPass("sound");
    this.allowSound();
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
    const wanted = this.news.filter((event) => this.isWanted(event));
    this.missed.know(wanted);
    await Promise.all(ways.map((way) => untold(way, wanted)));
  }

  // Whether an event is to be told: it passes the filter, and neither is it dealt with nor is nothing
  // to be told of it for a while.
  isWanted(event) {
    const { remembered } = this;
    return (
      passes(event, this.choices) &&
      !isMuted(event, this.muted) &&
      !remembered.isDone(event) &&
      !remembered.isSnoozed(event.symbol, Date.now())
    );
  }

  // What came at `live_now`. That an event is over is no news of it. `isAway` is whether nobody looks
  // at the page, `isInView` whether the list of events is seen of it.
  async tell({ news, live_now: now, alerts }, isAway, isInView) {
    Object.assign(this, { news, muted: alerts.silent });
    const since = this.toldAt;
    this.toldAt = now;
    if (this.isFirst) {
      this.isFirst = false;
      return this.letPass("toast", "sound", "notify");
    }
    const passing = news.filter((event) => this.isWanted(event));
    // One that began and ended while the tab slept was missed all the same.
    this.missed.add(
      passing.filter((event) => !event.over || event.ts > since),
      isAway,
    );
    this.look(isInView && !isAway);
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

  // What was in view for long enough was seen.
  look(isLooking) {
    const now = performance.now();
    if (isLooking) this.seenMs += Math.min(BETWEEN_MS, now - this.lookedAt || 0);
    else this.seenMs = 0;
    this.lookedAt = now;
    if (this.missed.count && this.seenMs >= SEEN_MS) this.missed.clear();
  }

  // The viewer has seen all that was missed.
  seeAll() {
    this.missed.clear();
    this.title();
  }

  // This browser tells less than it did: what is not told of was not missed.
  forget() {
    this.missed.drop(this.news.filter((event) => !this.isWanted(event)));
    this.title();
  }

  title() {
    const { count } = this.missed;
    const title = count ? `(${count}) ${TITLE}` : TITLE;
    if (document.title !== title) document.title = title;
    say(this.unseen, count ? ` ${count}` : "");
    const named = `${count || "no"} unseen event${count === 1 ? "" : "s"}`;
    mark(this.bell, "aria-label", named);
    mark(this.bell, "title", count ? `Show the ${named}` : "No unseen events");
    mark(this.bell, "data-count", count || null);
    const style = getComputedStyle(this.toasts);
    this.icon.show(count, { text: style.backgroundColor, ground: style.color });
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
        this.open(event);
      };
    } catch {
      // Some browsers of phones have the name, and no way to use it from a page.
      this.cannotNotify = true;
      this.drawChoices(this);
    }
  }

  open(event) {
    this.missed.drop([event]);
    this.title();
    const { id, symbol, peak } = event;
    this.show({ id, symbol, ts: Math.floor(peak) });
  }

  toast(event) {
    const { severity, title, brief, more } = event;
    const text = [brief, more].filter(Boolean).join("; ");
    this.slip(`${MARKS[severity]} ${title}`, text, severity, () => this.open(event));
  }

  // Have told what was answered to what was asked, once.
  answer({ answer, answered }, tell) {
    const isNew = this.answered !== undefined && this.answered !== answered;
    this.answered = answered;
    if (isNew && answer.length) tell(answer);
  }

  // Each in a row of its own, in which it stays: none pushes another. One that can be pressed goes by
  // that, and none goes while it is pointed at.
  slip(head, text, severity = null, onclick = null) {
    const toasts = [...this.toasts.children];
    if (toasts.length === TOASTS) toasts.shift().remove();
    const used = toasts.map((other) => other.style.gridRow);
    const rows = Array.from({ length: TOASTS }, (_, row) => String(TOASTS - row));
    const toast = h(
      onclick ? "button" : "div",
      { class: "toast", "data-severity": severity, type: onclick && "button" },
      h("strong", {}, head),
      h("span", {}, text),
    );
    if (onclick)
      toast.addEventListener("click", () => {
        toast.remove();
        onclick();
      });
    toast.style.gridRow = rows.find((row) => !used.includes(row));
    this.toasts.append(toast);
    const leave = () => {
      if (toast.matches(":hover, :focus")) setTimeout(leave, TOAST_MS);
      else toast.remove();
    };
    setTimeout(leave, TOAST_MS);
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

// Whether nothing is told of an event by what was muted for everybody.
function isMuted({ symbol, kind, rule }, muted) {
  const names = { symbol, kind: rule ? "" : kind, rule };
  return muted.some(({ of, name }) => name !== "" && names[of] === name);
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
