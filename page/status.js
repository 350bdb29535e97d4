// The status of everything behind the page: the strip of feeds, the messages, the details.

import { waitText } from "./clock.js";
import { h, keyed, mark, say } from "./elements.js";

const TROUBLE_MS = 10000;
const PHASES = { open: "OPEN", pre: "PRE-MARKET", after: "AFTER HOURS", closed: "CLOSED" };
const TURNS = { open: "closes", pre: "opens", after: "ends", closed: "opens" };

// The source, a chip per feed, and the time.
export class Strip {
  // `switches` are the buttons at its end.
  constructor(switches) {
    this.badge = h("span", { class: "badge" });
    this.source = h("span", { class: "source" });
    this.feeds = h("ul", { class: "feeds", "aria-label": "Feeds" });
    this.hands = h("span", { class: "hands" });
    this.zone = h("span", { class: "zone" });
    this.time = h("span", { class: "time" }, this.hands, " ", this.zone);
    this.element = h(
      "header",
      { class: "strip" },
      h("div", { class: "origin" }, this.badge, this.source),
      this.feeds,
      this.time,
      h("div", { class: "chips" }, ...switches),
    );
  }

  draw(payload, { clock }) {
    const { status, now, refresh, sessions } = payload;
    say(this.badge, status.source);
    mark(this.badge, "data-live", status.is_live);
    mark(this.badge, "title", `${status.text}, up for ${status.uptime}`);
    say(this.source, status.text);
    const byAsset = Object.fromEntries(sessions.map((session) => [session.asset, session]));
    keyed(
      this.feeds,
      status.feeds,
      (feed) => feed.asset,
      feedItem,
      (item, feed) => {
        correctFeed(item, feed, sessionWords(byAsset[feed.asset], payload, clock));
        mark(item, "data-phase", byAsset[feed.asset].phase);
      },
    );
    const slow = refresh.sec > 2 ? ` · every ${refresh.sec} s` : "";
    say(this.hands, clock.text(now));
    say(this.zone, `${clock.name}${slow}`);
    mark(this.time, "title", clock.long(now));
  }
}

function feedItem() {
  const span = (name) => h("span", { class: name });
  const dot = h("span", { class: "dot", "aria-hidden": "true" });
  return h(
    "li",
    {},
    h("div", { class: "line" }, dot, h("b", {}), span("state"), span("rate")),
    h("div", { class: "session" }, span("phase"), span("turn"), span("wait")),
  );
}

// The first line is the connection as it is now, the second the market at the moment shown.
function correctFeed(item, feed, words) {
  const [, name, state, pace] = item.firstChild.children;
  mark(item, "data-state", feed.state);
  mark(item, "data-shut", feed.is_shut);
  say(name, feed.asset);
  say(state, feed.state_text);
  say(pace, feed.pace);
  const [phase, turn, countdown] = item.lastChild.children;
  item.lastChild.hidden = feed.state === "off";
  say(phase, words.phase);
  say(turn, words.turn);
  say(countdown, words.wait);
  mark(item, "title", [feed.title, words.more].filter(Boolean).join("; "));
}

// What a market does at the moment shown, when that changes, and how long that takes.
function sessionWords(session, { now, at, status }, clock) {
  const { phase, until, opens, by } = session;
  const isPast = at !== null;
  const name = `${isPast ? "then " : ""}${PHASES[phase]}`;
  if (by === "source") {
    if (phase === "closed")
      return { phase: "ENDED", turn: "nothing more was recorded", wait: "", more: "" };
    const why = status.kind === "replay" ? "recorded, knows no hours" : "simulated, never closes";
    return { phase: name, turn: why, wait: "", more: `Prices are ${why}` };
  }
  if (by === "vendor" && (phase !== "closed" || opens === null))
    return { phase: name, turn: "as the vendor says", wait: "", more: "" };
  if (until === null)
    return { phase: name, turn: phase === "open" ? "always" : "", wait: "", more: "" };
  const turns = phase === "closed" || phase === "pre" ? (opens ?? until) : until;
  const wait = waitText(turns - now);
  return {
    phase: name,
    turn: `${TURNS[phase]} ${clock.brief(turns, now)} ${clock.city}`,
    wait: isPast ? `${wait} later` : `in ${wait}`,
    more: hoursText(session, now, clock),
  };
}

function hoursText({ phase, until, opens, by }, now, clock) {
  const brief = (second) => `${clock.brief(second, now)} ${clock.city}`;
  const parts = [];
  if (phase === "closed" && until < opens) parts.push(`pre-market from ${brief(until)}`);
  if (phase !== "open" && opens !== null) parts.push(`regular trading from ${brief(opens)}`);
  parts.push(by === "vendor" ? "as the vendor says" : "by the exchange's calendar");
  return parts.join(", ");
}

// What is said above the cards.
export class Messages {
  constructor() {
    this.element = h("div", { class: "messages" });
    this.troubleSince = {};
  }

  // `carried` are notes of this browser's own.
  draw(payload, { clock }, carried) {
    const { notes, status, pulse, refresh } = payload;
    const messages = pausedMessages(payload, clock);
    for (const note of [...carried, ...notes]) messages.push(["note", note]);
    for (const { kind, text, counts } of this.lasting(status))
      messages.push([kind, inWords(text, payload, clock), counts]);
    if (pulse.warming.length) {
      const parts = pulse.warming.map(([name, wait]) => `${name} in ${wait}`);
      messages.push(["note", `Warming up: ${parts.join(", ")}.`]);
    }
    if (refresh.sec > 2)
      messages.push([
        "note",
        `${refresh.tabs} tabs are open, so each refreshes every ${refresh.sec} s.`,
      ]);
    const lines = messages.map(([kind, text, counts = ""], place) => ({
      kind,
      text,
      counts,
      place,
    }));
    keyed(this.element, lines, (line) => line.place, messageLine, correctMessage);
  }

  fail() {
    const text =
      "The page cannot draw what it was sent: reload it, and report what the browser's console says.";
    this.element.keyed?.clear();
    this.element.replaceChildren(h("p", { "data-kind": "error", role: "alert" }, text));
  }

  // Without those that may mend themselves within seconds: the page must not jump for these.
  lasting({ messages, passing }) {
    const known = this.troubleSince;
    this.troubleSince = Object.fromEntries(passing.map((name) => [name, known[name] ?? Date.now()]));
    const lasts = (name) => Date.now() - this.troubleSince[name] > TROUBLE_MS;
    return messages.filter((message) => !message.passing || lasts(message.passing));
  }
}

// A sentence in parts, its instants in the viewer's zone.
function inWords(parts, { live_now }, clock) {
  const words = (part) => (typeof part === "string" ? part : clock.moment(part.at, live_now));
  return parts.map(words).join("");
}

// That what is shown is not the present.
function pausedMessages({ view, at, pulse, missed, now, live_now }, clock) {
  const moment = clock.moment(now, live_now);
  const news = missed === null ? "" : `, ${missed} new event${missed === 1 ? "" : "s"}`;
  if (view.freeze) return [["paused", `Paused at ${moment}${news}. Collection goes on.`]];
  if (at === null) return [];
  if (pulse.recorded) return [["paused", `Looking back at ${moment}. Collection goes on.`]];
  return [
    [
      "paused",
      `Looking back at ${moment}. Nothing was recorded at this moment: the dashboard was off, or no feed brought a price.`,
    ],
  ];
}

// Counts that never rest are for the eye: read out, they would never end.
function messageLine() {
  return h("p", {}, h("span"), h("span", { "aria-hidden": "true" }));
}

function correctMessage(line, { kind, text, counts }) {
  mark(line, "data-kind", kind);
  mark(line, "role", kind === "note" ? null : "status");
  say(line.firstChild, text);
  say(line.lastChild, counts && ` ${counts}`);
}

// All that the status knows, in tables.
export class Details {
  constructor({ choose }) {
    this.element = h("div", { class: "details", hidden: true });
    const onclick = () => choose({ details: !this.choices.details });
    this.button = h(
      "button",
      { class: "chip", type: "button", "aria-expanded": "false", onclick },
      "Details",
    );
  }

  draw(payload, { choices, clock }) {
    if (!payload.details || !choices.details) return;
    this.element.hidden = false;
    keyed(
      this.element,
      payload.details,
      (table) => table.name,
      (table) => h("div", {}, h("h3", {}, table.name), h("dl")),
      (block, table) => {
        keyed(
          block.lastChild,
          table.entries,
          ([name]) => name,
          () => h("div", {}, h("dt"), h("dd")),
          (pair, [name, value]) => {
            say(pair.firstChild, name);
            say(pair.lastChild, inWords([value], payload, clock));
          },
        );
      },
    );
  }

  drawChoices({ choices }) {
    this.choices = choices;
    mark(this.button, "aria-expanded", String(choices.details));
    if (!choices.details) this.element.hidden = true;
  }
}
