// The status of everything behind the page: the strip of feeds, the messages, the details.

import { durationText, waitText } from "./clock.js";
import { h, keyed, mark, say } from "./elements.js";

const TROUBLE_MS = 10000;
const HOUR_SEC = 3600;
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
    const isLive = status.source === "eodhd" && status.feeds.some((feed) => feed.state === "live");
    mark(this.badge, "data-live", isLive);
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
  const [, name, state, rate] = item.firstChild.children;
  const isShut = feed.session.phase === "closed";
  mark(item, "data-state", feed.state.split(" ")[0]);
  mark(item, "data-shut", isShut);
  say(name, feed.asset);
  say(state, isShut && feed.state === "closed market" ? "" : feed.state);
  const wait = /; try \d+, (?:next in (\d+) s|now)/.exec(feed.reason);
  const trouble = ["reconnecting", "refused"].includes(feed.state);
  const pace =
    feed.age === "–"
      ? ""
      : isShut
        ? `last price ${feed.age} ago`
        : `${feed.rate} · ${feed.age} ago`;
  say(
    rate,
    trouble && wait ? `next ${wait[1] ? `in ${durationText(Number(wait[1]))}` : "now"}` : pace,
  );
  const [phase, turn, countdown] = item.lastChild.children;
  item.lastChild.hidden = feed.state === "off";
  say(phase, words.phase);
  say(turn, words.turn);
  say(countdown, words.wait);
  const age = feed.age === "–" ? "no tick yet" : `last tick ${feed.age} ago`;
  const told = [feed.reason, `${feed.heard} symbols heard, ${age}`, feed.skew?.text, words.more];
  mark(item, "title", told.filter(Boolean).join("; "));
}

// What a market does at the moment shown, when that changes, and how long that takes.
function sessionWords(session, { now, at, status }, clock) {
  const { phase, until, opens, by } = session;
  const isPast = at !== null;
  const name = `${isPast ? "then " : ""}${PHASES[phase]}`;
  if (by === "source") {
    if (phase === "closed")
      return { phase: "ENDED", turn: "nothing more was recorded", wait: "", more: "" };
    const why = status.source === "replay" ? "recorded, knows no hours" : "simulated, never closes";
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
    for (const warning of status.warnings) messages.push(["warning", warning]);
    messages.push(
      ...this.archiveMessages(status.archive, payload.live_now, clock),
      ...this.feedMessages(status.feeds),
    );
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

  feedMessages(feeds) {
    const messages = [];
    const same = feeds.filter(
      (feed) => feed.state === feeds[0].state && feed.reason === feeds[0].reason && !feed.advice,
    );
    const areAllSame = same.length === feeds.length && same.length > 1;
    for (const feed of areAllSame ? same.slice(0, 1) : feeds) {
      const name = areAllSame ? "All feeds" : feed.asset[0].toUpperCase() + feed.asset.slice(1);
      if (!this.isLasting(feed)) continue;
      if (feed.advice)
        messages.push([feed.state === "refused" ? "error" : "warning", `${name}: ${feed.advice}`]);
      else messages.push(["warning", `${name} ${feed.state}: ${feed.plain}`]);
    }
    for (const { asset, skew } of feeds) {
      if (skew?.advice)
        messages.push(["warning", `${asset[0].toUpperCase()}${asset.slice(1)}: ${skew.advice}`]);
    }
    return messages;
  }

  archiveMessages(
    { state, reason, file, waiting, lost, lost_from, lost_to, set_aside },
    now,
    clock,
  ) {
    const messages = set_aside.map((name) => [
      "warning",
      `The archive was damaged and is kept aside as ${name}; a new one goes on.`,
    ]);
    if (state === "reading only")
      messages.push([
        "note",
        `Another Market Pulse records into ${file}: this one looks back at what is in it, and records nothing itself.`,
      ]);
    const span = (second) => clock.moment(second, now);
    // Told for an hour after it was mended: what is missing then is missed by whoever looks back.
    if (lost && state !== "trouble" && now - lost_to < HOUR_SEC)
      messages.push([
        "warning",
        `What came from ${span(lost_from)} to ${span(lost_to)} is not in the archive: it could not be written, and found no room to wait.`,
      ]);
    if (!this.lasts("archive", state === "trouble")) return messages;
    const gone = lost
      ? ` What came from ${span(lost_from)} to ${span(lost_to)} found no room to wait and is lost.`
      : "";
    messages.push([
      "warning",
      `The archive is not written: ${reason}. It is tried again by itself; the prices shown are not affected.${gone}`,
      `${waiting.toLocaleString("en-US")} bars wait${lost ? `, ${lost.toLocaleString("en-US")} are lost` : ""}.`,
    ]);
    return messages;
  }

  // Whether a trouble goes on for longer than those that mend themselves within seconds: the page
  // must not jump for these.
  lasts(name, isTrouble) {
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

  draw({ details, live_now }, { choices, clock }) {
    if (!details || !choices.details) return;
    this.element.hidden = false;
    const words = (value) => (typeof value === "string" ? value : clock.moment(value.at, live_now));
    keyed(
      this.element,
      details,
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
            say(pair.lastChild, words(value));
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
