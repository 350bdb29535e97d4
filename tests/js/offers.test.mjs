// What the palette offers for what is typed, and where its keys lead.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Asked } from "../../page/asked.js";
import { asksFor, isCall, moved, offers, ROOT, sought } from "../../page/offers.js";

const line = (symbol, more = {}) => ({
  symbol,
  asset: "stocks",
  kind: "a stock",
  vendor: "Alpaca",
  watched: false,
  room: true,
  by: "name",
  why: "",
  note: "",
  ...more,
});

const GROUPS = [
  { name: "Banks", symbols: ["JPM"], fixed: true },
  { name: "Mine", symbols: ["META", "AAPL"], fixed: false },
];

function known(lines = [], choices = {}, watch = {}) {
  return {
    lines,
    watch: { groups: GROUPS, rooms: [], fixed: "", kept: true, play: true, ...watch },
    choices: { symbol: "", group: "", lists: "list", at: null, freeze: false, ...choices },
    jumper: "META",
  };
}

const labels = (found) => found.map(({ label }) => label);
const named = (found, key) => found.find((one) => one.key === key);

test("what was meant for sure comes before a command, a guess after it", () => {
  const lines = [line("KIOSK", { by: "form", why: "as typed" })];
  assert.deepEqual(labels(offers(ROOT, "kiosk", known(lines))), ["Kiosk", "KIOSK"]);
  const sure = [line("TILE", { by: "begin" })];
  assert.deepEqual(labels(offers(ROOT, "tile", known(sure))), ["TILE", "Show tiles"]);
});

test("another spelling is shown beside the usual one", () => {
  const [found] = offers(ROOT, "aapl.us", known([line("AAPL", { by: "spelling", watched: true })]));
  assert.equal(found.label, "AAPL.US → AAPL");
  assert.deepEqual(found.does, { open: "AAPL", closes: true });
});

test("a symbol is added if there is room, and else says why not before it is tried", () => {
  const full = "30 of 30 at Alpaca (stocks): remove one first.";
  const lines = [line("IBM"), line("GE", { room: false, note: full })];
  const [ibm, ge] = offers(ROOT, "e", known(lines));
  assert.deepEqual(ibm.does, { asks: [{ ask: "add", asset: "stocks", symbol: "IBM" }] });
  assert.deepEqual([ge.does, ge.why], [null, full]);
  const [fixed] = offers(ROOT, "ibm", known([line("IBM")], {}, { fixed: "A tape." }));
  assert.deepEqual([fixed.does, fixed.why], [null, "A tape."]);
});

test("a symbol that is watched leads to what can be done with it", () => {
  const [meta] = offers(ROOT, "meta", known([line("META", { watched: true })]));
  const found = offers(meta.leads, "", known());
  assert.deepEqual(labels(found), [
    "Open META",
    "Watch it no longer",
    "Group Banks",
    "Group Mine",
    "New group with META…",
  ]);
  assert.deepEqual(named(found, "in Mine META").does.asks, [
    { ask: "take", name: "Mine", symbol: "META" },
  ]);
  assert.equal(named(found, "in Banks META").does, null);
  assert.match(named(found, "in Banks META").why, /settings/);
  assert.deepEqual(labels(offers(meta.leads, "longer", known())), ["Watch it no longer"]);
  const opened = offers(meta.leads, "", known([], { symbol: "META" }));
  assert.equal(named(opened, "open"), undefined);
});

test("a group is filtered by, changed and deleted, unless the settings have it", () => {
  const shown = offers(ROOT, "", known([], { group: "Mine" }));
  assert.deepEqual(named(shown, "all").does, { choose: { group: "" }, closes: true });
  assert.deepEqual(named(shown, "group Banks").does.choose, { group: "Banks" });
  assert.ok(named(shown, "group Mine").isOn);
  const mine = { kind: "group", name: "Mine" };
  const own = offers(mine, "", known([], { group: "Mine" }));
  assert.deepEqual(named(own, "delete").does.choose, { group: "" });
  assert.equal(named(offers(mine, "", known()), "delete").does.choose, undefined);
  const banks = offers({ kind: "group", name: "Banks" }, "", known());
  assert.deepEqual(
    banks.map(({ does }) => Boolean(does)),
    [true, false, false, false],
  );
  assert.deepEqual(offers({ kind: "group", name: "gone" }, "", known()), []);
});

test("what is put into a group is watched first", () => {
  const [ibm] = offers({ kind: "group", name: "Mine" }, "ibm", known([line("IBM")]));
  assert.deepEqual(ibm.does.asks, [
    { ask: "add", asset: "stocks", symbol: "IBM" },
    { ask: "put", name: "Mine", symbol: "IBM" },
  ]);
});

test("a new group has the name that is typed", () => {
  const stage = { kind: "name", symbols: ["META"] };
  assert.equal(offers(stage, " ", known())[0].does, null);
  const [made] = offers(stage, " Tech ", known());
  assert.deepEqual(made.does, {
    asks: [{ ask: "make group", name: "Tech", symbols: ["META"] }],
    leads: { kind: "group", name: "Tech" },
  });
  const [renamed] = offers({ kind: "name", from: "Mine" }, "Ours", known());
  assert.deepEqual(renamed.does.asks, [{ ask: "rename group", name: "Mine", to: "Ours" }]);
});

test("commands fit what is shown", () => {
  const found = (choices, watch) => labels(offers(ROOT, "", known([], choices, watch)));
  assert.ok(found({}).includes("Pause"));
  assert.ok(found({ freeze: true }).includes("Go on"));
  assert.ok(found({ at: 5 }).includes("Back to now"));
  assert.ok(found({ kiosk: true }).includes("Leave the kiosk"));
  assert.ok(!found({}).includes("Show a list"));
  assert.ok(found({ lists: "tiles" }).includes("Show a list"));
  assert.ok(!found({}, { play: false }).includes("Play a stress"));
  const [play] = offers(ROOT, "demo", known());
  assert.equal(play.says, "a stress in META within seconds");
});

test("a verb before a name says what is to be done with it", () => {
  const lines = [line("AAPL", { watched: true })];
  assert.equal(sought(ROOT, "remove aapl"), "aapl");
  assert.equal(sought(ROOT, "Unwatch AAPL.US"), "AAPL.US");
  assert.equal(sought(ROOT, "add"), "add");
  assert.equal(sought({ kind: "group", name: "Mine" }, "add ibm"), "add ibm");
  const [removed] = offers(ROOT, "remove aapl", known(lines));
  assert.deepEqual(removed.does, { asks: [{ ask: "remove", symbol: "AAPL" }] });
  const [unknown] = offers(ROOT, "remove ibm", known([line("IBM")]));
  assert.deepEqual([unknown.does, unknown.why], [null, "It is not watched."]);
  const [fixed] = offers(ROOT, "remove aapl", known(lines, {}, { fixed: "A tape." }));
  assert.deepEqual([fixed.does, fixed.why], [null, "A tape."]);
  const [mine] = offers(ROOT, "remove mine", known());
  assert.deepEqual(mine.does.asks, [{ ask: "delete group", name: "Mine" }]);
  const [added] = offers(ROOT, "add ibm", known([line("IBM")]));
  assert.deepEqual(added.does.asks, [{ ask: "add", asset: "stocks", symbol: "IBM" }]);
});

test("a group is shown or made by its name, and a symbol leads to its groups", () => {
  const [mine] = offers(ROOT, "group mine", known());
  assert.deepEqual(mine.does.choose, { group: "Mine" });
  const found = offers(ROOT, "group Tech", known());
  assert.deepEqual(found[0].does.asks, [{ ask: "make group", name: "Tech", symbols: [] }]);
  const [aapl] = offers(ROOT, "group aapl", known([line("AAPL", { watched: true })]));
  assert.deepEqual(aapl.does.leads, { kind: "symbol", symbol: "AAPL" });
  assert.ok(!labels(offers(ROOT, "group Mine", known())).includes("New group…"));
});

test("keys lead from line to line and round the ends", () => {
  const keys = ["a", "b", "c"];
  assert.equal(moved("a", keys, "ArrowDown"), "b");
  assert.equal(moved("c", keys, "ArrowDown"), "a");
  assert.equal(moved("a", keys, "ArrowUp"), "c");
  assert.equal(moved(null, keys, "ArrowDown"), "a");
  assert.equal(moved("a", keys, "PageDown"), "c");
  assert.equal(moved("c", keys, "PageUp"), "a");
  assert.equal(moved("gone", keys, ""), "a");
  assert.equal(moved("gone", [], "ArrowDown"), undefined);
});

test("a slash and Ctrl-K or ⌘K call it, but not out of a field", () => {
  const key = (name, more = {}) => ({ key: name, ...more });
  assert.ok(isCall(key("/"), false));
  assert.ok(!isCall(key("/"), true));
  assert.ok(isCall(key("k", { ctrlKey: true }), false));
  assert.ok(isCall(key("K", { metaKey: true }), false));
  assert.ok(!isCall(key("k"), false));
  assert.ok(!isCall(key("/", { ctrlKey: true }), false));
});

test("each stage says what it wants", () => {
  assert.equal(asksFor(ROOT), "A symbol, a group or a command");
  assert.equal(asksFor({ kind: "name", from: "Mine" }), "Another name for Mine");
});

test("what is asked has growing numbers, and is sent with what was asked before", () => {
  const asked = new Asked();
  const late = Date.now() + 1e6;
  const [first] = asked.with({ ask: "add" }, late);
  assert.equal(first.number, late + 1);
  const both = asked.with({ ask: "put" }, late);
  assert.deepEqual(
    both.map(({ ask }) => ask.ask),
    ["add", "put"],
  );
  assert.equal(both[1].number, late + 2);
  assert.equal(asked.about, "Groups");
  assert.equal(asked.with({ ask: "test" }, 0).length, 3);
  assert.equal(asked.about, "Alerts");
});
