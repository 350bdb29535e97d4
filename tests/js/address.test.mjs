// The address: an entry for each step, and what is read back from one.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Address, link } from "../../page/address.js";

const FIRST = {
  rank: "heat",
  lists: "list",
  group: "",
  kiosk: false,
  rows: 16,
  symbol: "",
  compare: [],
  span: "1h",
  at: null,
  heat: false,
  sound: false,
  notify: false,
};
const NOON = 1795608000; // 2026-11-25T12:00:00Z

// As much of a window as an address needs: its entries, and a clock.
class Window {
  constructor(search = "") {
    this.entries = [search];
    this.place = 0;
    this.listeners = {};
    this.ms = 1_000_000;
    const go = (url) => url.replace("/", "");
    globalThis.location = { origin: "http://here", pathname: "/", hash: "", search };
    globalThis.history = {
      state: null,
      pushState: (_state, _title, url) => {
        this.entries = [...this.entries.slice(0, this.place + 1), go(url)];
        this.place += 1;
        globalThis.location.search = go(url);
      },
      replaceState: (_state, _title, url) => {
        this.entries[this.place] = go(url);
        globalThis.location.search = go(url);
      },
    };
    globalThis.addEventListener = (name, listener) => (this.listeners[name] = listener);
    Date.now = () => this.ms;
  }

  go(by) {
    this.place += by;
    globalThis.location.search = this.entries[this.place];
    let isStopped = false;
    this.listeners.popstate({ stopImmediatePropagation: () => (isStopped = true) });
    return isStopped;
  }
}

let page, address, told, choices;

// What the viewer chooses after a while.
function choose(changed, afterMs = 10_000) {
  page.ms += afterMs;
  choices = { ...choices, ...changed };
  address.write(choices, FIRST, true);
}

beforeEach(() => {
  page = new Window();
  told = [];
  choices = { ...FIRST };
  address = new Address((...found) => told.push(found));
  address.write(choices, FIRST, false);
});

test("each step is an entry, and nothing else is", () => {
  choose({ symbol: "AAPL" });
  choose({ span: "day", heat: true, rows: 5 });
  choose({ at: NOON });
  choose({ lists: "tiles" });
  address.write(choices, FIRST, false);
  assert.deepEqual(page.entries, [
    "",
    "?rows=5&symbol=AAPL&span=day&heat=true",
    "?rows=5&symbol=AAPL&span=day&at=2026-11-25T12:00:00Z&heat=true",
    "?lists=tiles&rows=5&symbol=AAPL&span=day&at=2026-11-25T12:00:00Z&heat=true",
  ]);
});

test("what the server changes is no step, but for what is set behind the gear", () => {
  choose({ at: NOON });
  address.write({ ...choices, at: null }, FIRST, false);
  assert.deepEqual(page.entries, ["", ""]);
  address.write({ ...choices, at: null, rank: "5m" }, FIRST, false);
  assert.deepEqual(page.entries, ["", "", "?rank=5m"]);
});

test("a drag is one entry however long it takes", () => {
  choose({ at: NOON - 900 });
  page.ms += 10_000;
  page.listeners.pointerdown();
  for (const [back, afterMs] of [
    [600, 100],
    [590, 130],
    [300, 9000],
  ])
    choose({ at: NOON - back }, afterMs);
  page.listeners.pointerup();
  choose({ at: NOON - 299 }, 120);
  assert.deepEqual(page.entries, ["", "?at=2026-11-25T11:45:00Z", "?at=2026-11-25T11:55:01Z"]);
});

test("an hour that plays is one entry, and back at live another", () => {
  for (let second = 0; second < 30; second += 1) choose({ at: NOON + second }, 1000);
  choose({ at: null }, 1000);
  assert.deepEqual(page.entries, ["", "?at=2026-11-25T12:00:29Z", ""]);
});

test("going back brings the former view, and nobody else runs for it", () => {
  choose({ symbol: "AAPL", compare: ["BTC-USD", "EURUSD"] });
  choose({ symbol: "MSFT", sound: true });
  assert.equal(page.go(-1), true);
  const [found, said] = told[0];
  assert.equal(found.symbol, "AAPL");
  assert.deepEqual(found.compare, ["BTC-USD", "EURUSD"]);
  assert.deepEqual([said.symbol, said.rank], [["AAPL"], "heat"]);
  // What rings in this tab goes on.
  assert.equal("sound" in found, false);
  choices = { ...choices, ...found };
  address.write(choices, FIRST, true);
  assert.deepEqual(page.entries, [
    "",
    "?symbol=AAPL&compare=BTC-USD&compare=EURUSD&sound=true",
    "?symbol=MSFT&compare=BTC-USD&compare=EURUSD&sound=true",
  ]);
  page.go(1);
  assert.equal(told[1][0].symbol, "MSFT");
});

test("what an address says is told as it stands, be it possible or not", () => {
  page.entries.push("?at=yesterday&rows=many&symbol=NOSUCH&other=1");
  page.go(1);
  const [found, said] = told[0];
  assert.equal(found.at, null);
  assert.deepEqual([said.at, said.rows, said.symbol], [["yesterday"], ["many"], ["NOSUCH"]]);
  assert.equal("other" in said, false);
});

test("a moment that no clock shows is none", () => {
  for (const at of ["%2B275760-09-13T00:00:00Z", "-000001-01-01T00:00:00Z"]) {
    page.entries.push(`?at=${at}`);
    page.go(1);
    const [found, said] = told.at(-1);
    assert.equal(found.at, null);
    assert.deepEqual(said.at, [decodeURIComponent(at)]);
  }
});

test("a link carries no sound and no notification", () => {
  const shown = { ...FIRST, symbol: "BTC-USD", at: NOON, sound: true, notify: true };
  assert.equal(link(shown, FIRST), "http://here/?symbol=BTC-USD&at=2026-11-25T12:00:00Z");
});
