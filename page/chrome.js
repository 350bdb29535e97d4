// The chrome: one line with the source, a dot per feed, what can be opened, and the time.

import { waitText } from "./clock.js";
import { h, keyed, mark, s, say } from "./elements.js";
import { opened, overlay } from "./panels.js";
import { inWords } from "./status.js";

const PULSE = "M2 17h7l4-11 6 20 5-14 3 5h7";
const isMac = () => /Mac|iP(hone|ad|od)/.test(navigator.platform);

const WAYS = [
  ["Crypto and forex", "need no key."],
  ["US stocks", "want a free key: ALPACA_API_KEY and ALPACA_API_SECRET, or FINNHUB_API_KEY."],
  ["Everything from one vendor", "wants a paid key: EODHD_API_KEY."],
  [
    "Where to set them:",
    "in the environment in which the page is started, or in .streamlit/secrets.toml. Then start it again.",
  ],
];

export class Chrome {
  // `bells` are the buttons that say what wants to be looked at; `canSound` says whether a tone would
  // be heard.
  constructor({ choose, find, play }, bells, canSound) {
    Object.assign(this, { choose, canSound });
    this.badge = h("span", { class: "badge" });
    this.goLive = h(
      "button",
      { type: "button", class: "chip go-live", "aria-expanded": "false" },
      "Go live",
    );
    this.goLive.onclick = () => this.toggle("golive");
    this.feeds = h("ul", { class: "feeds", "aria-label": "Feeds" });
    this.find = h(
      "button",
      {
        type: "button",
        class: "chip find",
        title: "Find a symbol, a group or a command",
        "aria-label": `${isMac() ? "⌘K" : "Ctrl K"}: find a symbol, a group or a command`,
        onclick: () => find(),
      },
      isMac() ? "⌘K" : "Ctrl K",
    );
    // Browsers want a click before the first sound: any one will do.
    this.silent = h("button", { type: "button", class: "chip silent" }, "Sound: click to allow");
    this.hands = h("span", { class: "hands" });
    this.zone = h("span", { class: "zone" });
    this.time = h("span", { class: "time" }, this.hands, " ", this.zone);
    this.element = h(
      "header",
      { class: "chrome" },
      logo(),
      h("span", { class: "brand" }, "Market Pulse"),
      h("div", { class: "origin" }, this.badge, this.goLive),
      this.feeds,
      h("div", { class: "tools" }, this.find, this.silent, ...bells),
      // Streamlit's own button stands over this one place of the line.
      h("span", { class: "gear", "aria-hidden": "true" }),
      this.time,
    );
    this.source = h("p", { class: "source" });
    this.hint = h("p", { class: "hint" });
    this.stress = h(
      "p",
      {},
      h("button", { type: "button", class: "chip play", onclick: play }, "Play a stress"),
      " A symbol of the simulated market jumps within seconds.",
    );
    this.panel = overlay(
      "golive",
      "Go live",
      () => choose(opened("")),
      this.source,
      this.hint,
      this.stress,
      h(
        "ul",
        { class: "words" },
        ...WAYS.map(([what, how]) => h("li", {}, h("b", {}, what), " ", how)),
      ),
    );
  }

  toggle(name) {
    this.choose(opened(this.choices[name] ? "" : name));
  }

  draw(payload, { clock }) {
    const { status, now, refresh, hours } = payload;
    say(this.badge, status.source);
    mark(this.badge, "data-live", status.is_live);
    const among = inWords(status.among, (second) => clock.full(second, now));
    const origin = `${status.text}, up for ${status.uptime}`;
    mark(this.badge, "title", [origin, among].filter(Boolean).join(". "));
    this.goLive.hidden = !status.hint;
    this.stress.hidden = !payload.watch.play;
    say(this.source, `What is shown: ${status.text}.`);
    say(this.hint, status.hint && `${status.hint}.`);
    const byAsset = Object.fromEntries(hours.map((line) => [line.asset, line]));
    // The name and the hours of a class are said once.
    const isFirst = ({ asset, key }) => status.feeds.find((one) => one.asset === asset).key === key;
    keyed(
      this.feeds,
      status.feeds,
      (feed) => feed.key,
      () => feedItem(() => this.toggle("details")),
      (item, feed) => {
        mark(item, "data-first", isFirst(feed));
        correctFeed(item, feed, byAsset[feed.asset], payload, clock);
        item.querySelector(".session").hidden = feed.state === "off" || !isFirst(feed);
      },
    );
    const slow = refresh.sec > 2 ? ` · every ${refresh.sec} s` : "";
    say(this.hands, clock.text(now));
    say(this.zone, `${clock.name}${slow}`);
    mark(this.time, "title", clock.long(now));
  }

  drawChoices({ choices }) {
    this.choices = choices;
    mark(this.goLive, "aria-expanded", String(choices.golive));
    this.panel.hidden = !choices.golive;
    this.silent.hidden = !choices.sound || this.canSound();
  }
}

function logo() {
  const line = s("path", { d: PULSE });
  return s("svg", { class: "logo", viewBox: "0 0 36 32", "aria-hidden": "true" }, line);
}

// A dot with the name of its class, and all that is known of the feed for who points at it.
function feedItem(onclick) {
  const span = (name) => h("span", { class: name });
  const dot = h("span", { class: "dot", "aria-hidden": "true" });
  return h(
    "li",
    {},
    h("button", { type: "button", class: "feed-dot", onclick }, dot, h("b", {})),
    h(
      "div",
      { class: "tip", role: "tooltip" },
      h("div", { class: "line" }, h("b", {}), span("vendor"), span("state"), span("rate")),
      h(
        "div",
        { class: "hours" },
        span("role"),
        h("div", { class: "session" }, span("phase"), span("turn"), span("wait")),
      ),
      h("p", { class: "whole" }),
    ),
  );
}

// The first line is the connection as it is now, the second the market at the moment shown.
function correctFeed(item, feed, hours, { now, at }, clock) {
  const [button, tip] = item.children;
  const [line, below, whole] = tip.children;
  const [asset, vendor, state, pace] = line.children;
  mark(item, "data-state", feed.state);
  mark(item, "data-shut", feed.is_shut);
  say(button.lastChild, feed.asset);
  mark(button, "aria-label", [feed.asset, feed.vendor, feed.state_text].filter(Boolean).join(" "));
  say(asset, feed.asset);
  say(vendor, feed.vendor);
  say(state, feed.state_text);
  say(pace, feed.pace);
  const [role, session] = below.children;
  const [phase, turn, countdown] = session.children;
  const instant = (second) => `${clock.brief(second, now)} ${clock.city}`;
  say(
    role,
    inWords(feed.role, (second) => clock.brief(second, now)),
  );
  mark(item, "data-phase", hours.phase);
  say(phase, hours.name);
  say(turn, inWords(hours.turn, instant));
  say(countdown, hours.turns_at === null ? "" : countdownText(hours.turns_at - now, at !== null));
  say(whole, [feed.title, inWords(hours.more, instant)].filter(Boolean).join("; "));
}

// How long until a market's phase ends, or how long after the moment that is looked back at.
export function countdownText(seconds, isPast) {
  return isPast ? `${waitText(seconds)} later` : `in ${waitText(seconds)}`;
}
