// The board: draws each payload into elements that it builds once and then only corrects.
//
// What the viewer chooses here is kept in `choices`, shown at once, and sent to Python, which answers
// with the next payload and writes it into the address.

const TITLE = "Market Pulse";
const SEVERITIES = ["watch", "alert", "extreme"];
const CLASSES = ["stocks", "forex", "crypto"];
const MARKS = { watch: "●", alert: "▲", extreme: "◆" };
const HOLE_BARS = 6; // ten-second bars further apart are not joined: the formulas do not either
const TOAST_MS = 7000;
const TOASTS = 3;
const LATE_MS = 4000; // a hidden tab that wants to be told asks for itself after this long
const ARRIVED_MS = 5000; // a choice is with the server by then
const LOST_MS = 6000;
const NUMBERED = 7; // so many symbols of a heat map leave room for numbers
const TROUBLE_MS = 10000;
const HOUR_SEC = 3600;
const PHASES = { open: "OPEN", pre: "PRE-MARKET", after: "AFTER HOURS", closed: "CLOSED" };
const TURNS = { open: "closes", pre: "opens", after: "ends", closed: "opens" };
const BEEPS = { watch: [660], alert: [880, 880], extreme: [1040, 1040, 1040] };

const COLUMNS = [
  ["symbol", "Symbol", "Symbol, and how fresh its price is"],
  ["last", "Last", "Price of the newest tick"],
  ["1m", "1 min", "Return over one minute"],
  ["5m", "5 min", "Return over five minutes"],
  ["15m", "15 min", "Return over fifteen minutes"],
  ["surprise", "Surprise", "The one-minute return in units of the symbol's own volatility"],
  ["volatility", "Vol 15 min", "The typical move over fifteen minutes"],
  ["trend", "Trend/min", "Slope of the last fifteen minutes, per minute"],
  ["peers", "vs peers", "One-minute return minus the median of its class"],
  ["regime", "Regime", "Whether the symbol is volatile for its last hour"],
  ["spark", "Last 15 min", "Last fifteen minutes; a hole is where no price came"],
];
const REGIMES = { high_vol: "volatile", normal: "calm", unknown: "–" };

class Board {
  constructor(root) {
    this.root = root;
    this.choices = null;
    this.unseen = new Set();
    this.isFirst = true;
    this.known = new Set();
    this.carried = takeCarried();
    this.build();
    this.listen();
  }

  // Building, once.

  build() {
    this.badge = h("span", { class: "badge" });
    this.source = h("span", { class: "source" });
    this.hands = h("span", { class: "hands" });
    this.zoneName = h("span", { class: "zone" });
    this.feeds = h("ul", { class: "feeds", "aria-label": "Feeds" });
    this.time = h("span", { class: "time" }, this.hands, " ", this.zoneName);
    this.sound = h("button", { type: "button", class: "chip", role: "switch",
      onclick: () => this.switchSound() });
    this.notify = h("button", { type: "button", class: "chip", role: "switch",
      onclick: () => this.switchNotify() });
    this.more = h("button", { class: "chip", type: "button", "aria-expanded": "false",
      onclick: () => this.choose({ details: !this.choices.details }) }, "Details");
    this.lost = h("p", { class: "lost", "data-kind": "error", hidden: true });
    this.messages = h("div", { class: "messages" });
    this.details = h("div", { class: "details", hidden: true });
    this.buildRewind();
    this.buildPulse();
    this.buildStress();
    this.buildCorrelation();
    this.opened = h("section", { class: "card opened", "aria-label": "Symbol", hidden: true });
    this.toasts = h("div", { class: "toasts", role: "status", "aria-label": "New events" });
    this.root.append(
      h("h1", { class: "hidden" }, TITLE),
      h("header", { class: "strip" }, h("div", { class: "origin" }, this.badge, this.source),
        this.feeds, this.time, h("div", { class: "chips" }, this.sound, this.notify, this.more)),
      h("div", { class: "alerts", role: "alert" }, this.lost),
      this.messages,
      this.details,
      this.rewind,
      h("div", { class: "cards" }, this.pulse,
        h("div", { class: "side" }, h("div", { class: "column" }, this.opened, this.stress),
          this.correlation)),
      this.toasts,
    );
  }

  buildRewind() {
    this.slider = h("input", { type: "range", step: "1", "aria-label": "Look back",
      oninput: () => this.lookAt(Number(this.slider.value)) });
    // Browsers report every digit as a change: what counts is the time that is left standing.
    this.clockInput = h("input", { type: "time", step: "1", "aria-label": "Look back at this time",
      oninput: () => { this.isTyped = true; },
      onkeydown: (event) => { if (event.key === "Enter") this.lookAtTyped(); },
      onblur: () => this.lookAtTyped() });
    this.hour = h("span", { class: "label" });
    this.earlier = h("button", { type: "button", class: "step", "aria-label": "An hour earlier",
      title: "An hour earlier; with shift a day", onclick: (event) => this.step(event, -1) }, "‹");
    this.later = h("button", { type: "button", class: "step", "aria-label": "An hour later",
      title: "An hour later; with shift a day", onclick: (event) => this.step(event, 1) }, "›");
    this.moment = h("span", { class: "moment" });
    this.live = h("button", { type: "button", class: "live", onclick: () => this.lookAt(null) }, "Live");
    this.marks = s("svg", { class: "marks", preserveAspectRatio: "none", viewBox: "0 0 1000 10",
      "aria-hidden": "true" });
    this.rewind = h("div", { class: "rewind", role: "group", "aria-label": "Rewind" },
      h("div", { class: "steps" }, this.earlier, this.hour, this.later),
      h("div", { class: "track" }, this.marks, this.slider),
      this.clockInput, this.moment, this.live);
  }

  buildPulse() {
    this.pulseNote = h("span", { class: "note" });
    this.lists = h("div", { class: "lists" });
    this.pulseEmpty = h("p", { class: "empty" }, "No symbols are watched.");
    this.pulse = h("section", { class: "card pulse", "aria-label": "Pulse" },
      h("div", { class: "head" }, h("h2", {}, "Pulse"), this.pulseNote),
      this.pulseEmpty, this.lists);
  }

  buildStress() {
    this.severity = h("select", { "aria-label": "Least severity",
      onchange: () => this.choose({ severity: this.severity.value }) },
      ...SEVERITIES.map((name) => h("option", { value: name }, { watch: "all", alert: "alert +", extreme: "extreme" }[name])));
    this.classes = CLASSES.map((name) => h("button", { type: "button", class: "chip",
      onclick: () => this.toggleClass(name) }, name));
    this.stressEmpty = h("p", { class: "empty" });
    this.searching = h("p", { class: "searching note" }, "Still looking through the past hour");
    this.older = h("li", { class: "older note", hidden: true });
    this.events = h("ol", { class: "events", tabindex: "0", "aria-label": "Stress events, newest first" }, this.older);
    this.stress = h("section", { class: "card stress", "aria-label": "Stress" },
      h("div", { class: "head" }, h("h2", {}, "Stress"),
        h("div", { class: "chips" }, this.severity, ...this.classes)),
      h("div", { class: "feed" }, this.stressEmpty, this.events, this.searching));
  }

  buildCorrelation() {
    this.base = h("span", { class: "note" });
    this.corrEmpty = h("p", { class: "empty" });
    this.pairs = h("ol", { class: "pairs" });
    this.changedHead = h("h3", {}, "Started or stopped moving together, hour → 15 min");
    this.changed = h("ul", { class: "changed" });
    this.heatButton = h("button", { type: "button", class: "chip", "aria-pressed": "false",
      onclick: () => this.choose({ heat: !this.choices.heat }) }, "Heat map");
    this.heat = h("div", { class: "heat", hidden: true, tabindex: "0", role: "group", "aria-label": "Heat map" });
    this.correlation = h("section", { class: "card correlation", "aria-label": "Correlation" },
      h("div", { class: "head" }, h("h2", {}, "Correlation"), this.heatButton),
      this.base, this.corrEmpty, this.pairs, this.changedHead, this.changed, this.heat);
  }

  listen() {
    this.onVisible = () => {
      if (document.hidden) return;
      this.shownAt = Date.now();
      this.unseen.clear();
      this.title();
      // What the timer slept through is fetched at once.
      if (Date.now() - hub().receivedAt > 1000) hub().wake?.();
    };
    // Browsers let a page make a sound only after a gesture on it. One on the switch itself is that
    // gesture, not a wish to switch off.
    this.onGesture = () => {
      this.wasSilenced = Boolean(this.choices?.sound) && this.audio?.state !== "running";
      if (this.wasSilenced) this.allowSound();
    };
    document.addEventListener("visibilitychange", this.onVisible);
    document.addEventListener("pointerdown", this.onGesture);
    document.addEventListener("keydown", this.onGesture);
    this.onKey = (event) => {
      if (event.key === "Escape" && this.choices?.symbol) this.open("");
    };
    this.root.addEventListener("keydown", this.onKey);
    // A hidden tab's own timers are slowed to one a minute; a worker's are not.
    const tick = new Blob(["setInterval(() => postMessage(0), 2000)"], { type: "text/javascript" });
    this.tickUrl = URL.createObjectURL(tick);
    this.ticker = new Worker(this.tickUrl);
    this.ticker.onmessage = () => {
      const wants = this.choices?.sound || this.choices?.notify;
      if (document.hidden && wants && Date.now() - hub().receivedAt > LATE_MS) hub().wake?.();
      this.drawLost();
    };
  }

  close() {
    document.removeEventListener("visibilitychange", this.onVisible);
    document.removeEventListener("pointerdown", this.onGesture);
    document.removeEventListener("keydown", this.onGesture);
    clearTimeout(this.sending);
    this.ticker.terminate();
    URL.revokeObjectURL(this.tickUrl);
    this.audio?.close();
  }

  // Choices.

  choose(changed) {
    const isFiltering = "severity" in changed || "events" in changed;
    this.carried = [];
    this.chosenAt = Date.now();
    this.choices = { ...this.choices, ...changed };
    this.drawChoices();
    if (isFiltering) this.letPass("toast", "sound", "notify");
    clearTimeout(this.sending);
    // A slider that is dragged sends where it rests.
    this.sending = setTimeout(() => hub().choose?.(this.choices), 120);
  }

  lookAt(second) {
    const [oldest, newest] = this.payload.reach;
    this.choose({ at: second === null || second >= newest ? null : Math.max(second, oldest) });
  }

  step(event, way) {
    const shown = this.choices.at ?? this.payload.reach[1];
    this.lookAt(shown + way * (event.shiftKey ? DAY_SEC : HOUR_SEC));
  }

  lookAtTyped() {
    const typed = this.clockInput.value;
    if (!this.isTyped || !typed) return;
    this.isTyped = false;
    const second = this.clock.at(typed, ...this.payload.reach);
    if (second !== null) return this.lookAt(second);
    const [oldest, newest] = this.payload.reach;
    this.carried = [`${typed.replace("T", " ")} is not between ${this.clock.moment(oldest, newest)} and now.`];
    this.drawMessages(this.payload);
  }

  open(symbol) {
    const before = this.choices.symbol;
    this.choose({ symbol });
    if (symbol) {
      this.shouldReveal = true;
    } else if (before) {
      this.root.querySelector(`tr[data-symbol="${CSS.escape(before)}"] button`)?.focus();
    }
  }

  toggleClass(name) {
    const chosen = CLASSES.filter((other) => this.choices.events.includes(other) !== (other === name));
    this.choose({ events: chosen.length ? chosen : CLASSES });
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
    // Waits for ever where it is not allowed.
    await Promise.race([this.audio.resume(), new Promise((done) => setTimeout(done, 300))]);
    this.drawChoices();
  }

  async switchNotify() {
    const isUnasked = globalThis.Notification?.permission === "default";
    const isOn = !this.choices.notify || isUnasked;
    if (isOn && isUnasked) await Notification.requestPermission();
    if (isOn) await this.letPass("notify");
    this.choose({ notify: isOn });
  }

  // Telling.

  wanted(event) {
    const least = SEVERITIES.indexOf(this.choices.severity);
    return SEVERITIES.indexOf(event.severity) >= least && this.choices.events.includes(event.asset);
  }

  // What is on the page before it was asked to tell needs no telling.
  async letPass(...ways) {
    const wanted = (this.payload?.news ?? []).filter((event) => this.wanted(event));
    for (const event of wanted) this.known.add(event.id);
    await Promise.all(ways.map((way) => untold(way, wanted)));
  }

  async tell(news) {
    if (this.isFirst) {
      this.isFirst = false;
      return this.letPass("toast", "sound", "notify");
    }
    const wanted = news.filter((event) => this.wanted(event));
    if (document.hidden) {
      for (const event of wanted) if (!this.known.has(event.id)) this.unseen.add(event.id);
    }
    this.known = new Set([...this.known, ...wanted.map((event) => event.id)].slice(-500));
    this.title();
    if (!document.hidden) {
      for (const event of await untold("toast", wanted)) this.toast(event);
    }
    if (this.choices.sound && this.audio?.state === "running") {
      const fresh = await untold("sound", wanted);
      const severest = SEVERITIES.findLast((name) => fresh.some((event) => event.severity === name));
      if (severest) this.beep(severest);
    }
    if (this.choices.notify && globalThis.Notification?.permission === "granted") {
      for (const event of await untold("notify", wanted)) this.notification(event);
    }
  }

  notification(event) {
    try {
      new Notification(`${event.severity}: ${event.symbol}`, { body: event.text, tag: event.id });
    } catch {
      // Some browsers of phones have the name, and no way to use it from a page.
      this.cannotNotify = true;
      this.drawChoices();
    }
  }

  title() {
    const title = this.unseen.size ? `(${this.unseen.size}) ${TITLE}` : TITLE;
    if (document.title !== title) document.title = title;
  }

  // Each in a place of its own, where it stays: none pushes another.
  toast(event) {
    const toasts = [...this.toasts.children];
    if (toasts.length === TOASTS) toasts.shift().remove();
    const taken = toasts.map((other) => other.style.gridRow);
    const place = Array.from({ length: TOASTS }, (_, row) => String(TOASTS - row)).find((row) => !taken.includes(row));
    const toast = h("div", { class: "toast", "data-severity": event.severity },
      h("strong", {}, `${MARKS[event.severity]} ${event.severity}`), h("span", {}, event.text));
    toast.style.gridRow = place;
    this.toasts.append(toast);
    setTimeout(() => toast.remove(), TOAST_MS);
  }

  beep(severity) {
    const audio = this.audio;
    if (audio?.state !== "running") return;
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

  // Drawing.

  draw(payload) {
    if (!this.payload && preferDark(payload.notes)) return;
    this.payload = payload;
    const { view, status } = payload;
    if (!this.choices) {
      const { symbol, at, severity, events, heat, sound, notify } = view;
      this.choices = { symbol, at, severity, events, heat, sound, notify, details: false };
    }
    // Once a choice has had time to arrive, the server knows better: it may have let a moment go.
    if (Date.now() - (this.chosenAt ?? 0) > ARRIVED_MS) this.choices.at = view.at;
    const zone = `${view.tz}|${status.dated}`;
    if (zone !== this.zone) [this.zone, this.clock] = [zone, new Clock(view, status.dated)];
    mark(this.root, "data-colours", view.colours);
    mark(this.root, "data-kiosk", view.kiosk);
    mark(this.root, "data-lists", view.lists);
    this.sessions = Object.fromEntries(payload.sessions.map((session) => [session.asset, session]));
    this.drawStrip(payload);
    this.drawMessages(payload);
    this.drawDetails(payload.details);
    this.drawRewind(payload);
    this.drawPulse(payload);
    this.drawCorrelation(payload.correlation);
    this.drawOpened(payload.opened);
    this.drawChoices();
    this.root.style.visibility = "visible";
    this.drawLost();
    this.tell(payload.news);
  }

  failed() {
    this.root.style.visibility = "visible";
    const line = h("p", { "data-kind": "error", role: "alert" }, "The page cannot draw what it was sent: reload it, and report what the browser's console says.");
    this.messages.keyed?.clear();
    this.messages.replaceChildren(line);
  }

  // Without word from the server nothing on the page is live, whatever it said last.
  drawLost() {
    if (!this.payload || document.hidden) return;
    const silentMs = Date.now() - Math.max(hub().receivedAt, this.shownAt ?? 0);
    const isLost = silentMs > LOST_MS + 2000 * this.payload.refresh.sec;
    mark(this.root, "data-lost", isLost);
    this.lost.hidden = !isLost;
    const since = durationText((Date.now() - hub().receivedAt) / 1000);
    if (isLost) say(this.lost, `No word from the dashboard's server for ${since}: what is shown is old. It goes on by itself when the server is back.`);
  }

  drawChoices() {
    const { choices } = this;
    if (this.severity.value !== choices.severity) this.severity.value = choices.severity;
    this.classes.forEach((chip, place) => mark(chip, "aria-pressed", String(choices.events.includes(CLASSES[place]))));
    mark(this.more, "aria-expanded", String(choices.details));
    mark(this.heatButton, "aria-pressed", String(choices.heat));
    mark(this.sound, "aria-checked", String(choices.sound));
    mark(this.notify, "aria-checked", String(choices.notify));
    say(this.sound, this.soundText());
    say(this.notify, this.notifyText());
    mark(this.sound, "title", "A tone for new events, in a hidden tab too; higher and more often the more severe");
    mark(this.notify, "title", "A notification of the system for new events, in a hidden tab too");
    for (const row of this.lists.querySelectorAll("tr[data-symbol]")) {
      mark(row, "data-open", row.dataset.symbol === choices.symbol);
    }
    if (this.payload) {
      this.drawEvents(this.payload);
      this.drawMoment(this.payload);
      if (!choices.symbol) this.opened.hidden = true;
      if (!choices.heat) this.heat.hidden = true;
      if (!choices.details) this.details.hidden = true;
    }
  }

  soundText() {
    if (!this.choices.sound) return "Sound off";
    return this.audio?.state === "running" ? "Sound on" : "Sound: click to allow";
  }

  notifyText() {
    if (!isSecureContext) return "Notify: needs https";
    if (!("Notification" in window) || this.cannotNotify) return "Notify: not in this browser";
    if (Notification.permission === "denied") return "Notify: blocked in browser";
    if (!this.choices.notify) return "Notify off";
    return Notification.permission === "granted" ? "Notify on" : "Notify: click to allow";
  }

  drawStrip({ status, now, refresh, at }) {
    say(this.badge, status.source);
    mark(this.badge, "data-live", status.source === "eodhd" && status.feeds.some((feed) => feed.state === "live"));
    say(this.source, status.text);
    mark(this.badge, "title", `${status.text}, up for ${status.uptime}`);
    keyed(this.feeds, status.feeds, (feed) => feed.asset, () => this.feed(), (item, feed) => this.correctFeed(item, feed, now, at !== null));
    const slow = refresh.sec > 2 ? ` · every ${refresh.sec} s` : "";
    say(this.hands, this.clock.text(now));
    say(this.zoneName, `${this.clock.name}${slow}`);
    mark(this.time, "title", this.clock.long(now));
  }

  feed() {
    return h("li", {},
      h("div", { class: "line" }, h("span", { class: "dot", "aria-hidden": "true" }), h("b", {}), h("span", { class: "state" }), h("span", { class: "rate" })),
      h("div", { class: "session" }, h("span", { class: "phase" }), h("span", { class: "turn" }), h("span", { class: "wait" })));
  }

  // The first line is the connection as it is now, the second the market at the moment shown.
  correctFeed(item, feed, now, isPast) {
    const [, name, state, rate] = item.firstChild.children;
    const isShut = feed.session.phase === "closed";
    mark(item, "data-state", feed.state.split(" ")[0]);
    mark(item, "data-shut", isShut);
    say(name, feed.asset);
    say(state, isShut && feed.state === "closed market" ? "" : feed.state);
    const wait = /; try \d+, (?:next in (\d+) s|now)/.exec(feed.reason);
    const trouble = ["reconnecting", "refused"].includes(feed.state);
    const pace = feed.age === "–" ? "" : isShut ? `last price ${feed.age} ago` : `${feed.rate} · ${feed.age} ago`;
    say(rate, trouble && wait ? `next ${wait[1] ? `in ${durationText(Number(wait[1]))}` : "now"}` : pace);
    const session = this.sessions[feed.asset];
    const [phase, turn, countdown] = item.lastChild.children;
    const words = this.sessionWords(session, now, isPast);
    item.lastChild.hidden = feed.state === "off";
    mark(item, "data-phase", session.phase);
    say(phase, words.phase);
    say(turn, words.turn);
    say(countdown, words.wait);
    const age = feed.age === "–" ? "no tick yet" : `last tick ${feed.age} ago`;
    mark(item, "title", [feed.reason, `${feed.heard} symbols heard, ${age}`, feed.skew?.text, words.more].filter(Boolean).join("; "));
  }

  // What a market does at the moment shown, when that changes, and how long that takes.
  sessionWords({ phase, until, opens, by }, now, isPast) {
    const name = `${isPast ? "then " : ""}${PHASES[phase]}`;
    if (by === "source") {
      const isReplay = this.payload.status.source === "replay";
      if (phase === "closed") return { phase: "ENDED", turn: "nothing more was recorded", wait: "", more: "" };
      const why = isReplay ? "recorded, knows no hours" : "simulated, never closes";
      return { phase: name, turn: why, wait: "", more: `Prices are ${why}` };
    }
    if (by === "vendor" && (phase !== "closed" || opens === null)) return { phase: name, turn: "as the vendor says", wait: "", more: "" };
    if (until === null) return { phase: name, turn: phase === "open" ? "always" : "", wait: "", more: "" };
    const turns = phase === "closed" || phase === "pre" ? opens ?? until : until;
    const wait = waitText(turns - now);
    return {
      phase: name,
      turn: `${TURNS[phase]} ${this.clock.brief(turns, now)} ${this.clock.city}`,
      wait: isPast ? `${wait} later` : `in ${wait}`,
      more: this.hoursText({ phase, until, opens, by }, now),
    };
  }

  hoursText({ phase, until, opens, by }, now) {
    const brief = (second) => `${this.clock.brief(second, now)} ${this.clock.city}`;
    const parts = [];
    if (phase === "closed" && until < opens) parts.push(`pre-market from ${brief(until)}`);
    if (phase !== "open" && opens !== null) parts.push(`regular trading from ${brief(opens)}`);
    parts.push(by === "vendor" ? "as the vendor says" : "by the exchange's calendar");
    return parts.join(", ");
  }

  // "Mon 09:30 New York", or where that is not known nothing.
  opening(opens) {
    return opens === null ? "" : `${this.clock.brief(opens, this.payload.now)} ${this.clock.city}`;
  }

  drawMessages({ notes, status, pulse, view, at, missed, refresh, now, live_now }) {
    const messages = [];
    const moment = this.clock.moment(now, live_now);
    const news = missed === null ? "" : `, ${missed} new event${missed === 1 ? "" : "s"}`;
    if (view.freeze) messages.push(["paused", `Paused at ${moment}${news}. Collection goes on.`]);
    else if (at !== null && pulse.recorded) messages.push(["paused", `Looking back at ${moment}. Collection goes on.`]);
    else if (at !== null) messages.push(["paused", `Looking back at ${moment}. Nothing was recorded at this moment: the dashboard was off, or no feed brought a price.`]);
    for (const note of [...this.carried, ...notes]) messages.push(["note", note]);
    for (const warning of status.warnings) messages.push(["warning", warning]);
    messages.push(...this.archiveMessages(status.archive), ...this.feedMessages(status.feeds));
    if (pulse.warming.length) {
      const parts = pulse.warming.map(([name, wait]) => `${name} in ${wait}`);
      messages.push(["note", `Warming up: ${parts.join(", ")}.`]);
    }
    if (refresh.sec > 2) messages.push(["note", `${refresh.tabs} tabs are open, so each refreshes every ${refresh.sec} s.`]);
    const lines = messages.map(([kind, text, counts = ""], place) => ({ kind, text, counts, place }));
    // Counts that never rest are for the eye: read out, they would never end.
    keyed(this.messages, lines, (line) => line.place, () => h("p", {}, h("span"), h("span", { "aria-hidden": "true" })), (line, { kind, text, counts }) => {
      mark(line, "data-kind", kind);
      mark(line, "role", kind === "note" ? null : "status");
      say(line.firstChild, text);
      say(line.lastChild, counts && ` ${counts}`);
    });
  }

  feedMessages(feeds) {
    const messages = [];
    const same = feeds.filter((feed) => feed.state === feeds[0].state && feed.reason === feeds[0].reason && !feed.advice);
    const areAllSame = same.length === feeds.length && same.length > 1;
    for (const feed of areAllSame ? same.slice(0, 1) : feeds) {
      const name = areAllSame ? "All feeds" : feed.asset[0].toUpperCase() + feed.asset.slice(1);
      if (!this.isLasting(feed)) continue;
      if (feed.advice) messages.push([feed.state === "refused" ? "error" : "warning", `${name}: ${feed.advice}`]);
      else messages.push(["warning", `${name} ${feed.state}: ${feed.plain}`]);
    }
    for (const { asset, skew } of feeds) {
      if (skew?.advice) messages.push(["warning", `${asset[0].toUpperCase()}${asset.slice(1)}: ${skew.advice}`]);
    }
    return messages;
  }

  archiveMessages({ state, reason, file, waiting, lost, lost_from, lost_to, set_aside }) {
    const messages = set_aside.map((name) => ["warning", `The archive was damaged and is kept aside as ${name}; a new one goes on.`]);
    if (state === "reading only") messages.push(["note", `Another Market Pulse records into ${file}: this one looks back at what is in it, and records nothing itself.`]);
    const span = (second) => this.clock.moment(second, this.payload.live_now);
    // Told for an hour after it was mended: what is missing then is missed by whoever looks back.
    if (lost && state !== "trouble" && this.payload.live_now - lost_to < 3600) messages.push(["warning", `What came from ${span(lost_from)} to ${span(lost_to)} is not in the archive: it could not be written, and found no room to wait.`]);
    if (!this.lasts("archive", state === "trouble")) return messages;
    const gone = lost ? ` What came from ${span(lost_from)} to ${span(lost_to)} found no room to wait and is lost.` : "";
    messages.push(["warning", `The archive is not written: ${reason}. It is tried again by itself; the prices shown are not affected.${gone}`,
      `${waiting.toLocaleString("en-US")} bars wait${lost ? `, ${lost.toLocaleString("en-US")} are lost` : ""}.`]);
    return messages;
  }

  // Whether a trouble goes on for longer than those that mend themselves within seconds: the page
  // must not jump for these.
  lasts(name, isTrouble) {
    this.troubleSince ??= {};
    if (!isTrouble) delete this.troubleSince[name];
    else this.troubleSince[name] ??= Date.now();
    return isTrouble && Date.now() - this.troubleSince[name] > TROUBLE_MS;
  }

  // Whether there is something to say of a feed that the strip has no room for. While its market is
  // closed nothing is missed.
  isLasting({ asset, state, reason, advice, session }) {
    const isTrouble = ["silent", "reconnecting"].includes(state);
    const lasts = this.lasts(asset, isTrouble && session.phase !== "closed");
    if (isTrouble) return lasts;
    return state === "refused" || state.startsWith("closed") ? Boolean(reason) : Boolean(advice);
  }

  drawDetails(tables) {
    if (!tables || !this.choices.details) return;
    this.details.hidden = false;
    keyed(this.details, tables, (table) => table.name, (table) => h("div", {}, h("h3", {}, table.name), h("dl")), (block, table) => {
      keyed(block.lastChild, table.entries, ([name]) => name, () => h("div", {}, h("dt"), h("dd")), (pair, [name, text]) => {
        say(pair.firstChild, name);
        say(pair.lastChild, typeof text === "string" ? text : this.clock.moment(text.at, this.payload.live_now));
      });
    });
  }

  drawRewind({ line, reach, marks, at, live_now }) {
    const [oldest, newest] = line;
    const first = Math.min(oldest, at ?? oldest);
    mark(this.slider, "min", first);
    mark(this.slider, "max", Math.max(first + 1, newest));
    say(this.hour, newest === reach[1] ? "Last hour" : this.clock.hour(oldest, newest + 1, live_now));
    const span = Math.max(1, newest - first);
    keyed(this.marks, marks.filter(([ts]) => ts >= first), ([, , id]) => id, () => s("path"), (stroke, [ts, severity]) => {
      const x = ((ts - first) / span) * 1000;
      mark(stroke, "d", `M${x.toFixed(1)} 0V10`);
      mark(stroke, "data-severity", severity);
    });
  }

  drawMoment({ reach, view, at: shownAt }) {
    const [oldest, newest] = reach;
    const at = view.freeze ? shownAt : this.choices.at;
    const shown = at ?? newest;
    if (this.slider.value !== String(shown)) this.slider.value = shown;
    mark(this.slider, "aria-valuetext", at === null ? "live" : this.clock.moment(shown, newest));
    this.drawField(shown, newest - oldest >= DAY_SEC || !this.clock.isSameDay(shown, newest));
    say(this.moment, at === null ? "" : `${durationText(newest - at)} ago`);
    this.slider.disabled = this.clockInput.disabled = view.freeze;
    this.earlier.disabled = view.freeze || shown <= oldest;
    this.later.disabled = view.freeze || at === null;
    this.live.disabled = at === null || view.freeze;
    mark(this.live, "data-live", at === null);
  }

  // The field in which a moment is typed: with its date where the time alone may not tell it.
  drawField(shown, needsDate) {
    if (this.root.getRootNode().activeElement === this.clockInput) return;
    const type = needsDate && this.clock.isDated ? "datetime-local" : "time";
    mark(this.clockInput, "type", type);
    const text = type === "time" ? this.clock.text(shown) : this.clock.field(shown);
    if (this.clockInput.value !== text) this.clockInput.value = text;
  }

  drawPulse({ pulse, view, at }) {
    this.pulseEmpty.hidden = pulse.watched > 0;
    say(this.pulseNote, this.pricedText(pulse, view.rank, at !== null));
    mark(this.root, "data-rank", ["surprise", "1m"].includes(view.rank) ? view.rank : "other");
    gliding(this.lists, () => {
      keyed(this.lists, pulse.lists, (list) => list.name || "all", (list) => this.table(list), (table, list) => {
        keyed(table.tBodies[0], list.rows, (row) => row.symbol, (row) => this.row(row), (row, item) => this.correctRow(row, item));
        for (const cell of table.querySelectorAll("[data-column]")) {
          mark(cell, "data-ranked", cell.dataset.column === view.rank);
        }
        for (const heading of table.tHead.rows[0].cells) {
          mark(heading, "aria-sort", heading.hasAttribute("data-ranked") ? "descending" : null);
        }
      });
    });
  }

  pricedText({ watched, priced, trading, trading_priced }, rank, isPast) {
    const shut = watched - trading;
    if (shut && !trading) return `by ${rank} · every market is closed`;
    if (!priced && isPast) return "no symbol had a price";
    if (!priced) return "No tick yet: the first prices appear as soon as a feed sends one.";
    if (shut) return `by ${rank} · ${trading_priced} of ${trading} open symbols have a price, ${shut} are closed`;
    return `by ${rank} · ${priced} of ${watched} symbols have a price`;
  }

  table(list) {
    const headings = COLUMNS.map(([name, text, help]) => h("th", { scope: "col", "data-column": name, title: help }, text));
    return h("table", {}, h("caption", { class: list.name ? "" : "hidden" }, list.name || "What moves most"),
      h("colgroup", {}, ...COLUMNS.map(([name]) => h("col", { "data-column": name }))),
      h("thead", {}, h("tr", {}, ...headings)), h("tbody"));
  }

  row({ symbol }) {
    const cells = COLUMNS.map(([name]) => h(name === "symbol" ? "th" : "td", { "data-column": name, scope: name === "symbol" ? "row" : null }));
    const button = h("button", { type: "button", class: "symbol", title: symbol, onclick: (event) => { event.stopPropagation(); this.open(this.choices.symbol === symbol ? "" : symbol); } }, symbol);
    cells[0].append(button, h("span", { class: "state" }));
    const surprise = cells[5];
    surprise.append(h("span", { class: "bar", "aria-hidden": "true" }, h("i")), h("span"));
    const line = s("path");
    cells[10].append(s("svg", { viewBox: "-2 -8 93 116", preserveAspectRatio: "none", "aria-hidden": "true" }, line),
      h("span", { class: "last-session" }, h("span", { class: "word" }), h("span"), h("span", { class: "range" })));
    return h("tr", { "data-symbol": symbol, onclick: () => this.open(this.choices.symbol === symbol ? "" : symbol),
      onkeydown: (event) => this.walk(event) }, ...cells);
  }

  walk(event) {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const next = step && event.currentTarget[step]?.querySelector("button");
    if (!next) return;
    event.preventDefault();
    next.focus();
  }

  correctRow(row, item) {
    mark(row, "data-state", item.state.split(" ")[0]);
    mark(row, "data-asset", item.asset);
    mark(row, "data-open", item.symbol === this.choices.symbol);
    const cells = row.cells;
    say(cells[0].lastChild, this.stateText(item));
    say(cells[1], item.last);
    this.correctSession(row, cells[10].lastChild, item.session);
    if (item.session) return this.blank(row);
    ["1m", "5m", "15m"].forEach((name, place) => this.signed(cells[2 + place], item[name]));
    this.signed(cells[5].lastChild, item.surprise);
    const fill = cells[5].firstChild.firstChild;
    const share = Math.min(1, Math.abs(item.sigmas) / 4) * 50;
    fill.style.setProperty("width", `${share}%`);
    fill.style.setProperty("left", item.sigmas < 0 ? `${50 - share}%` : "50%");
    mark(fill, "data-tone", Math.sign(item.surprise[1]));
    say(cells[6], item.volatility);
    this.signed(cells[7], item.trend);
    this.signed(cells[8], item.peers);
    say(cells[9], REGIMES[item.regime]);
    mark(cells[9], "data-regime", item.regime);
    mark(cells[10].querySelector("path"), "d", linePath(item.spark, HOLE_BARS, (x) => x, (y) => 100 - y));
  }

  stateText(item) {
    return item.last_ts == null ? item.state_text : `${item.state_text} · ${this.clock.brief(item.last_ts, this.payload.now)}`;
  }

  // No figures, where the last session stands in their place.
  blank({ cells }) {
    for (const place of [2, 3, 4, 7, 8]) this.signed(cells[place], ["", 0]);
    this.signed(cells[5].lastChild, ["", 0]);
    for (const place of [6, 9]) say(cells[place], "");
    mark(cells[9], "data-regime", null);
  }

  // In the place of figures that a closed market does not have.
  correctSession(row, place, session) {
    mark(row, "data-session", Boolean(session));
    const [word, change, range] = place.children;
    say(word, session ? "last session " : "");
    say(change, session ? session.change : "");
    say(range, session ? `, ${session.low} – ${session.high}` : "");
    const brief = (second) => this.clock.brief(second, this.payload.now);
    mark(place, "title", session ? `Last session, ${brief(session.begin)} to ${brief(session.end)} ${this.clock.city}: from its first price to its last, lowest to highest` : null);
  }

  signed(cell, [text, tone]) {
    say(cell, text);
    mark(cell, "data-tone", tone);
  }

  drawStress({ status, pulse, events, at }) {
    const isEmpty = !events.shown.some((event) => this.wanted(event));
    let text = "";
    this.searching.hidden = !status.searching;
    if (!pulse.trading && pulse.watched) text = events.all ? "" : "Every market is closed: nothing to judge.";
    else if (!pulse.priced) text = events.all ? "" : at === null ? "No price to judge yet." : "No price to judge.";
    else if (status.searching && isEmpty) text = "";
    else if (!events.all && pulse.warming.some(([name]) => name === "surprise")) text = "Still learning what is usual: too early to judge.";
    else if (!events.all) text = "Nothing unusual so far.";
    if (!text && events.all && isEmpty && !status.searching) text = `None of ${events.all} events passes the filter.`;
    say(this.stressEmpty, text);
    this.stressEmpty.hidden = !text;
  }

  drawEvents({ events }) {
    const shown = events.shown.filter((event) => this.wanted(event));
    const older = events.passing - events.shown.length;
    this.drawStress(this.payload);
    say(this.older, older > 0 ? `${older} older ones` : "");
    this.older.hidden = older <= 0;
    keyed(this.events, shown, (event) => event.id, (event) => this.event(event), (item, event) => {
      mark(item, "data-severity", event.severity);
      const [severity, time, meta] = item.firstChild.children;
      say(severity, `${MARKS[event.severity]} ${event.severity}`);
      const full = (second) => this.clock.full(second, this.payload.now);
      say(time, full(event.ts));
      mark(time, "title", `Look back at ${this.clock.long(event.ts)}`);
      time.disabled = this.payload.view.freeze || event.ts < this.payload.reach[0];
      const times = event.count > 1 ? `×${event.count}, last ${full(event.updated)}` : "";
      say(meta, [times, event.asset, event.history ? "history" : ""].filter(Boolean).join(" · "));
      mark(meta, "title", event.history ? "Found in the past hour when the dashboard started" : null);
      say(item.lastChild, event.text);
    });
  }

  event(event) {
    return h("li", {}, h("div", {}, h("span", { class: "severity" }), h("button", { type: "button", class: "link",
      onclick: () => this.lookAt(Math.floor(event.ts)) }), h("span", { class: "meta" })), h("p", {}));
  }

  drawCorrelation(part) {
    this.correlation.hidden = !part;
    if (!part) return;
    const { card, heat } = part;
    say(this.base, `${card.base} · ${card.shut?.is_base ? "its market is closed" : card.words}`);
    say(this.corrEmpty, card.shut ? this.shutText(card.shut) : card.missing);
    this.corrEmpty.hidden = !card.missing;
    this.drawPairs(this.pairs, card.top);
    this.changedHead.hidden = !card.changed.length;
    keyed(this.changed, card.changed, (pair) => pair.text, () => h("li", {}, h("b"), h("span")), (item, pair) => {
      mark(item, "data-started", String(pair.started));
      say(item.firstChild, `${pair.started ? "↗" : "↘"} ${pair.text}`);
      say(item.lastChild, ` ${pair.started ? "started" : "stopped"}: ${pair.before} → ${pair.after}`);
      mark(item, "title", `${pair.started ? "Started" : "Stopped"} moving together: r was ${pair.before} over the hour and is ${pair.after} over the last 15 minutes`);
    });
    this.heatButton.disabled = card.too_many;
    mark(this.heatButton, "title", card.too_many ? "Too many symbols for a heat map: choose fewer classes" : null);
    if (heat && this.choices.heat) this.drawHeat(heat);
  }

  // Why market hours leave nothing to compare, until when, and what there is instead.
  shutText({ assets, opens, base, is_base, instead }) {
    const names = assets.join(" and ");
    const closed = `${names[0].toUpperCase()}${names.slice(1)} ${assets.length > 1 || names === "stocks" ? "are" : "is"} closed`;
    const until = opens === null ? "" : ` until ${this.opening(opens)}`;
    const other = is_base ? `choose ${instead[0]} as the base, and correlate it with ${instead[1]}` : `correlate ${base} with ${instead[0]}`;
    return `${closed}${until}.${instead.length ? ` Meanwhile ${other}.` : ""}`;
  }

  drawPairs(list, pairs) {
    keyed(list, pairs, (pair) => pair.symbol, () => h("li", {}, h("b"), h("span", { class: "r" }),
      h("span", { class: "scale", "aria-hidden": "true" }, h("i", { class: "range" }), h("i", { class: "value" })), h("span", { class: "note" })),
    (item, pair) => {
      mark(item, "data-doubtful", pair.doubtful);
      mark(item, "title", pair.doubtful ? "The interval contains 0: this may be chance" : null);
      const [name, r, scale, note] = item.children;
      say(name, pair.symbol);
      mark(name, "title", pair.symbol);
      say(r, pair.text);
      mark(r, "data-tone", Math.sign(pair.r));
      say(note, `${pair.range} · n ${pair.n}${pair.doubtful ? " · chance?" : ""}`);
      const place = (value) => (value + 1) * 50;
      scale.children[0].style.setProperty("left", `${place(pair.low)}%`);
      scale.children[0].style.setProperty("width", `${place(pair.high) - place(pair.low)}%`);
      scale.children[1].style.setProperty("left", `${Math.min(50, place(pair.r))}%`);
      scale.children[1].style.setProperty("width", `${Math.abs(place(pair.r) - 50)}%`);
      mark(scale.children[1], "data-tone", Math.sign(pair.r));
    });
  }

  drawHeat({ symbols, r, n }) {
    this.heat.hidden = false;
    const key = symbols.join();
    if (this.heatKey !== key) {
      this.heatKey = key;
      const head = h("tr", {}, h("td"), ...symbols.map((name) => h("th", { scope: "col" }, h("span", {}, name))));
      this.heatCells = symbols.map(() => symbols.map(() => h("td")));
      const rows = symbols.map((name, place) => h("tr", {}, h("th", { scope: "row" }, name), ...this.heatCells[place]));
      this.heat.replaceChildren(h("table", { "aria-label": "Correlation of each pair" }, h("tbody", {}, head, ...rows)));
    }
    symbols.forEach((left, i) => symbols.forEach((right, j) => {
      const cell = this.heatCells[i][j];
      // What rounds to zero has neither sign nor colour: adding 0 makes it of −0.
      const value = i === j || r[i][j] === null ? null : Math.round(r[i][j] * 100) / 100 + 0;
      const text = value === null ? "" : value.toFixed(2).replace("-", "−");
      // Where a number has no room its sign has: colour is not the only one to tell it.
      say(cell, symbols.length <= NUMBERED ? text : value < 0 ? "−" : "");
      mark(cell, "title", i === j ? left : `${left} and ${right}: ${text || "not enough shared data"}, n ${n[i][j]}`);
      mark(cell, "data-tone", value === null ? 0 : Math.sign(value));
      cell.style.setProperty("--strength", `${Math.round(Math.abs(value ?? 0) * 70)}%`);
    }));
  }

  drawOpened(symbol) {
    if (!this.choices.symbol) return;
    if (!symbol || symbol.symbol !== this.choices.symbol) return;
    if (this.openedSymbol !== symbol.symbol) {
      this.openedSymbol = symbol.symbol;
      this.chart = new Chart(this);
      this.openedState = h("span", { class: "note" });
      this.openedWords = h("ul", { class: "words" });
      this.openedEmpty = h("p", { class: "empty" });
      this.openedPairs = h("ol", { class: "pairs" });
      this.opened.replaceChildren(
        h("div", { class: "head" }, h("h2", {}, symbol.symbol), this.openedState,
          h("button", { type: "button", class: "chip close", "aria-label": "Close", onclick: () => this.open("") }, "✕")),
        this.chart.element, this.openedWords, h("h3", {}, "Moves with"), this.openedEmpty, this.openedPairs);
    }
    this.opened.hidden = false;
    say(this.openedState, `${symbol.last} · ${this.stateText(symbol)}`);
    this.chart.draw(symbol, this.clock);
    keyed(this.openedWords, symbol.words.map((words, place) => ({ words, place })), (item) => item.place, () => h("li"), (item, { words }) => say(item, this.sentence(words)));
    say(this.openedEmpty, symbol.shut ? this.shutText(symbol.shut) : symbol.missing);
    this.openedEmpty.hidden = symbol.top.length > 0;
    this.drawPairs(this.openedPairs, symbol.top);
    if (this.shouldReveal) {
      this.shouldReveal = false;
      this.opened.scrollIntoView({ block: "nearest" });
    }
  }

  // A sentence, with its instants in the viewer's zone.
  sentence(words) {
    if (typeof words === "string") return words;
    const at = [...words.at];
    return words.text.replaceAll("{}", () => this.clock.brief(at.shift(), this.payload.now));
  }
}

function hub() {
  return (globalThis.marketPulse ??= {});
}

export default function board({ parentElement }) {
  const root = parentElement.querySelector(".market-pulse");
  if (!root.board) {
    root.board = new Board(root);
    hub().draw = () => {
      try {
        root.board.draw(JSON.parse(new TextDecoder().decode(hub().payload)));
      } catch (error) {
        // Better said than a page that stands still, or stays blank.
        root.board.failed();
        throw error;
      }
    };
    if (hub().payload) hub().draw();
  }
  return () => {
    root.board?.close();
    delete root.board;
    root.replaceChildren();
    delete hub().draw;
  };
}
