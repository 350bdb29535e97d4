// What was told, and what was missed.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Missed, untold } from "../../page/missed.js";
import { Remembered } from "../../page/remembered.js";
import { passes } from "../../page/stress.js";
import { Teller } from "../../page/teller.js";

const events = (...ids) => ids.map((id) => ({ id, severity: "watch" }));
const ids = (found) => found.map(({ id }) => id);

// What a browser keeps for all tabs of a viewer.
class Storage {
  texts = new Map();

  getItem(key) {
    return this.texts.get(key) ?? null;
  }

  setItem(key, text) {
    this.texts.set(key, text);
  }
}

function stub(name, value) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

beforeEach(() => {
  stub("navigator", {});
  stub("localStorage", new Storage());
});

test("each event is told once for each way of telling", async () => {
  assert.deepEqual(ids(await untold("toast", events("a1", "a2"))), ["a1", "a2"]);
  assert.deepEqual(ids(await untold("toast", events("a1", "a2", "a3"))), ["a3"]);
  assert.deepEqual(ids(await untold("sound", events("a1"))), ["a1"]);
});

test("an event that becomes more severe is told again, once", async () => {
  const states = ["watch", "watch", "alert", "alert"].map((severity) => ({ id: "s1", severity }));
  const told = [];
  for (const state of states) told.push((await untold("toast", [state])).length);
  assert.deepEqual(told, [1, 0, 1, 0]);
});

test("what another tab told is not told again", async () => {
  localStorage.setItem("market-pulse.told.toast", JSON.stringify(["b1 watch"]));
  assert.deepEqual(ids(await untold("toast", events("b1", "b2"))), ["b2"]);
  assert.ok(JSON.parse(localStorage.getItem("market-pulse.told.toast")).includes("b1 watch"));
});

test("a storage that is spoilt or closed still tells once per tab", async () => {
  localStorage.setItem("market-pulse.told.toast", "not JSON");
  assert.deepEqual(ids(await untold("toast", events("c1"))), ["c1"]);
  const refuse = () => {
    throw new Error("closed");
  };
  stub("localStorage", { getItem: refuse, setItem: refuse });
  assert.deepEqual(ids(await untold("toast", events("c1", "c2"))), ["c2"]);
  assert.deepEqual(ids(await untold("toast", events("c1", "c2"))), []);
});

test("tabs take turns if the browser lets them", async () => {
  const asked = [];
  stub("navigator", {
    locks: {
      request: async (name, act) => {
        asked.push(name);
        return act();
      },
    },
  });
  assert.deepEqual(ids(await untold("notify", events("d1"))), ["d1"]);
  assert.deepEqual(asked, ["market-pulse.told.notify"]);
});

test("what is remembered does not grow for ever", async () => {
  await untold("toast", events(...Array.from({ length: 400 }, (_, number) => `e${number}`)));
  const kept = JSON.parse(localStorage.getItem("market-pulse.told.toast"));
  assert.equal(kept.length, 300);
  assert.equal(kept.at(-1), "e399 watch");
});

test("events are missed while nobody looks, each once", () => {
  const missed = new Missed();
  missed.know(events("a"));
  missed.add(events("a", "b"), true);
  missed.add(events("a", "b", "c"), true);
  assert.equal(missed.count, 2);
  missed.clear();
  missed.add(events("d"), false);
  missed.add(events("d"), true);
  assert.equal(missed.count, 0);
});

// A teller without a page: what it would show is noted instead.
function tellerOf() {
  const told = { toasts: [], tones: [], notes: [], shown: [] };
  stub("document", { hidden: false, title: "Market Pulse" });
  stub(
    "Notification",
    class {
      static permission = "granted";

      constructor(title, { body }) {
        told.notes.push(this);
        Object.assign(this, { title, body });
      }

      close() {
        this.isClosed = true;
      }
    },
  );
  const teller = Object.create(Teller.prototype);
  Object.assign(teller, {
    missed: new Missed(),
    remembered: new Remembered(new Storage()),
    muted: [],
    seenMs: 0,
    isFirst: true,
    choices: { severity: "watch", events: ["stocks"], sound: true, notify: true },
    audio: { state: "running" },
    title: () => {},
    beep: (severity) => told.tones.push(severity),
    slip: (head, text) => told.toasts.push(`${head}: ${text}`),
    show: (...where) => told.shown.push(where),
  });
  return { teller, told };
}

// A viewer who looks at the page, but not at its list of events.
const hear = (teller, payload) => teller.tell(payload, globalThis.document.hidden, false);

const payloadOf = (news, live_now, silent = []) => ({ news, live_now, alerts: { silent } });

const stress = (id, severity, known = {}) => ({
  id,
  severity,
  asset: "stocks",
  symbol: "AAPL",
  text: `AAPL ${severity}`,
  title: "AAPL −1.0 %",
  brief: "in 1 min",
  kind: "move_1m",
  rule: "",
  ts: 100.5,
  peak: 100.5,
  over: false,
  ...known,
});

test("an event is told at watch, again at alert and at extreme, and not when it is over", async () => {
  const { teller, told } = tellerOf();
  await hear(teller, payloadOf([], 99));
  for (const severity of ["watch", "watch", "alert", "alert", "extreme", "extreme"])
    await hear(teller, payloadOf([stress("w1", severity)], 101));
  await hear(teller, payloadOf([stress("w1", "extreme", { over: true })], 191));
  const severities = ["watch", "alert", "extreme"];
  assert.deepEqual(told.tones, severities);
  assert.deepEqual(
    told.notes.map(({ title }) => title),
    severities.map((severity) => `${severity}: AAPL`),
  );
  assert.equal(told.toasts.length, 3);
});

test("the end of an event that this browser was never told of is not told", async () => {
  const { teller, told } = tellerOf();
  await hear(teller, payloadOf([], 150));
  await hear(teller, payloadOf([stress("x1", "extreme", { over: true })], 191));
  assert.deepEqual(told, { toasts: [], tones: [], notes: [], shown: [] });
});

test("an end is not missed, but an event that began and ended while the tab slept is", async () => {
  const { teller } = tellerOf();
  await hear(teller, payloadOf([], 150));
  globalThis.document.hidden = true;
  await hear(teller, payloadOf([stress("y1", "alert", { over: true })], 191));
  assert.equal(teller.missed.count, 0);
  await hear(teller, payloadOf([stress("y2", "alert", { over: true, ts: 195 })], 241));
  assert.equal(teller.missed.count, 1);
});

test("a click on a notification opens the symbol at the second it tells of", async () => {
  const { teller, told } = tellerOf();
  let focused = 0;
  stub("focus", () => {
    focused += 1;
  });
  await hear(teller, payloadOf([], 99));
  await hear(teller, payloadOf([stress("z1", "alert", { peak: 160.7 })], 161));
  told.notes[0].onclick();
  assert.equal(focused, 1);
  assert.ok(told.notes[0].isClosed);
  assert.deepEqual(told.shown, [[{ id: "z1", symbol: "AAPL", ts: 160 }]]);
});

test("what is dealt with, snoozed or muted is not told, and told again if it is more severe", async () => {
  const { teller, told } = tellerOf();
  await hear(teller, payloadOf([], 99));
  teller.remembered.acknowledge(stress("q1", "watch"));
  teller.remembered.snooze("TSLA", Date.now() + 60_000, Date.now());
  const silent = [
    { of: "symbol", name: "NVDA" },
    { of: "rule", name: "flash" },
    { of: "kind", name: "vol_spike" },
  ];
  const untoldOnes = [
    stress("q1", "watch"),
    stress("q2", "extreme", { symbol: "TSLA" }),
    stress("q3", "extreme", { symbol: "NVDA" }),
    stress("q4", "extreme", { kind: "rule", rule: "flash" }),
    stress("q5", "extreme", { kind: "vol_spike" }),
  ];
  await hear(teller, payloadOf(untoldOnes, 101, silent));
  assert.deepEqual([told.tones, told.notes, told.toasts], [[], [], []]);
  await hear(teller, payloadOf([stress("q1", "alert")], 102, silent));
  assert.deepEqual(told.tones, ["alert"]);
});

test("what is dealt with was not missed, and all is seen after a while in view", async (t) => {
  const { teller } = tellerOf();
  let now = 0;
  t.mock.method(performance, "now", () => now);
  await hear(teller, payloadOf([], 99));
  await teller.tell(payloadOf([stress("r1", "watch"), stress("r2", "alert")], 101), true, true);
  assert.equal(teller.missed.count, 2);
  teller.remembered.acknowledge(stress("r1", "watch"));
  teller.forget();
  assert.deepEqual([teller.missed.count, teller.missed.since], [1, 100.5]);
  for (const [ms, left] of [
    [2000, 1],
    [6000, 1],
    [9000, 1],
    [13_000, 0],
  ]) {
    now = ms;
    await teller.tell(payloadOf([], 101), false, true);
    assert.equal(teller.missed.count, left, ms);
  }
});

test("an answer is shown once, and none that was there before the page was", () => {
  const { teller } = tellerOf();
  const said = [];
  const tell = (parts) => said.push(parts.join(""));
  teller.answer({ answer: ["Old."], answered: 4 }, tell);
  teller.answer({ answer: ["Muted."], answered: 5 }, tell);
  teller.answer({ answer: ["Muted."], answered: 5 }, tell);
  teller.answer({ answer: ["Muted."], answered: 6 }, tell);
  assert.deepEqual(said, ["Muted.", "Muted."]);
});

test("an event passes the filter by its severity and its class", () => {
  const event = { severity: "alert", asset: "forex" };
  const all = ["stocks", "forex", "crypto"];
  assert.ok(passes(event, { severity: "watch", events: all }));
  assert.ok(passes(event, { severity: "alert", events: ["forex"] }));
  assert.ok(!passes(event, { severity: "extreme", events: all }));
  assert.ok(!passes(event, { severity: "watch", events: ["stocks"] }));
});
