// The scales of the chart.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Clock } from "../../page/clock.js";
import {
  band,
  grouped,
  points,
  roundTicks,
  seriesOf,
  signed,
  sinceText,
  spreadOut,
  timeTicks,
  valueAt,
  worth,
} from "../../page/scale.js";

const near = (found, wanted) => assert.ok(Math.abs(found - wanted) < 1e-9, `${found} ≠ ${wanted}`);

test("ticks are round, inside, and told apart by their decimals", () => {
  assert.deepEqual(roundTicks(693.2, 704.9, 5), { ticks: [695, 700], digits: 0 });
  assert.deepEqual(roundTicks(0.70881, 0.70952, 4), {
    ticks: [0.709, 0.7092, 0.7094],
    digits: 4,
  });
  assert.deepEqual(roundTicks(-1.2, 1.1, 5).ticks, [-1, -0.5, 0, 0.5, 1]);
  assert.deepEqual(roundTicks(0.00000612, 0.00000655, 4).digits, 7);
});

test("a line that never moved has its own price as the only tick", () => {
  assert.deepEqual(roundTicks(5, 5, 5), { ticks: [5], digits: 0 });
});

test("times are round by the viewer's clock, not by that of UTC", () => {
  // Nepal is 5 h 45 min ahead of UTC.
  const clock = new Clock({ tz: "Asia/Kathmandu" }, true);
  const begin = Date.UTC(2026, 10, 27, 12, 3) / 1000;
  const { ticks, step } = timeTicks(begin, begin + 86400, 5, clock);
  assert.equal(step, 21600);
  assert.deepEqual(
    ticks.map((ts) => clock.text(ts)),
    ["18:00:00", "00:00:00", "06:00:00", "12:00:00"],
  );
  assert.deepEqual(
    timeTicks(begin, begin + 900, 4, clock).ticks.map((ts) => clock.text(ts)),
    ["17:50:00", "17:55:00", "18:00:00"],
  );
});

test("a line is its chunks in order, each price at the end of its step, holes included", () => {
  const line = { chunks: { 1200: [3, null], 900: [1, 2] } };
  assert.deepEqual(points(line, 150, 1400), [
    [1050, 1],
    [1200, 2],
    [1350, 3],
    [1400, null],
  ]);
});

test("a move of one usual hour is 1 in σ, up and down, and the band reaches it at the end", () => {
  const line = { anchor: { ts: 0, price: 100, vol: 0.01 } };
  for (const way of [-1, 1]) near(worth(100 * Math.exp(way * 0.02), line, "sigma", 3600), way);
  const edges = band(line, "sigma", 3600, 0, 3600);
  assert.deepEqual(edges[0].map(Math.abs), [0, 0, 0]);
  // A quarter of the time: half of the way.
  near(edges[15][2], 0.5);
  near(edges.at(-1)[1], -1);
  near(edges.at(-1)[2], 1);
});

test("the band of prices is the anchor's, and begins there", () => {
  const line = { anchor: { ts: 100, price: 200, vol: 0.01 } };
  const edges = band(line, "price", 3600, 0, 1000);
  assert.deepEqual(edges[0], [100, 200, 200]);
  const [ts, low, high] = edges.at(-1);
  assert.equal(ts, 1000);
  near(low, 200 * Math.exp(-0.01));
  near(high, 200 * Math.exp(0.01));
  assert.deepEqual(band({ anchor: null }, "price", 3600, 0, 1000), []);
});

test("what is not known is not worth 0", () => {
  assert.equal(worth(null, { anchor: null }, "percent", 3600, 100), null);
  assert.equal(worth(101, { anchor: null }, "sigma", 3600, 100), null);
  near(worth(101, { anchor: null }, "percent", 3600, 100), 1);
  assert.equal(worth(101, { anchor: null }, "percent", 3600, undefined), null);
  assert.equal(worth(101, { anchor: null }, "price", 3600), 101);
});

test("a line says how far it went since its anchor, beside what is usual", () => {
  const clock = new Clock({ tz: "UTC" }, true);
  const anchor = { ts: 3600, price: 100, vol: 0.01 };
  const line = { chunks: { 3600: [100, 125, null] }, anchor };
  const chart = { span: "1h", step: 900, begin: 3600, end: 6300 };
  const series = seriesOf(line, chart, "percent", 3600, 6300);
  assert.deepEqual(series.last, [5400, 25]);
  assert.equal(valueAt(series, 5400, 60), 25);
  // Nothing came since: the last price stands for a while, and then there is a hole.
  assert.equal(valueAt(series, 6300, 900), 25);
  assert.equal(valueAt(series, 6300, 899), null);
  assert.equal(sinceText(series, 5400, 60, clock), "+25.00 % since 01:00, 15.8 × usual");
  assert.equal(sinceText(series, 6300, 60, clock), "");
  const unknown = seriesOf({ ...line, anchor: null }, chart, "percent", 3600, 6300);
  assert.equal(sinceText(unknown, 5400, 60, clock), "");
  assert.deepEqual(unknown.inside[1], [5400, 25]);
});

test("labels keep apart, in their order, and inside", () => {
  assert.deepEqual(spreadOut([50, 51, 10], 16, 0, 100), [50, 66, 10]);
  assert.deepEqual(spreadOut([99, 100], 16, 0, 100), [84, 100]);
});

test("numbers have groups, a sign that is a minus, and none if they round to zero", () => {
  assert.equal(grouped(85463.2, 2), "85,463.20");
  assert.equal(signed(-0.934, 2), "−0.93");
  assert.equal(signed(0.0001, 2), "0.00");
  assert.equal(signed(2, 1), "+2.0");
});
