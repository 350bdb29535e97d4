// Scales of the chart: round ticks, what a line's prices are worth, and the band of usual moves.

const VOL_SEC = 900; // vol_15m is of fifteen minutes
const TIME_STEPS = [5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600];
const MINUS = "−";

// Round numbers from `low` to `high`, about `most` of them, and the decimals that tell them apart.
export function roundTicks(low, high, most) {
  const rough = (high - low) / most;
  if (!(rough > 0)) return { ticks: [low], digits: 0 };
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((times) => times * power >= rough * 0.999) * power;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  const ticks = Array.from({ length: count }, (_, place) =>
    Number(((first + place) * step).toFixed(digits)),
  );
  return { ticks, digits };
}

// Instants from `begin` to `end` that are round by the viewer's clock, at most `most` of them.
export function timeTicks(begin, end, most, clock) {
  const step = TIME_STEPS.find((seconds) => (end - begin) / seconds <= most) ?? 43200;
  const offset = clock.wall(begin) / 1000 - Math.floor(begin);
  const ticks = [];
  for (let ts = Math.ceil((begin + offset) / step) * step - offset; ts <= end; ts += step)
    ticks.push(ts);
  return { ticks, step };
}

// The instants and prices of a line, in order; null is a hole.
export function points(line, step, end) {
  const begins = Object.keys(line.chunks)
    .map(Number)
    .sort((a, b) => a - b);
  return begins.flatMap((begin) =>
    line.chunks[begin].map((price, place) => [Math.min(begin + (place + 1) * step, end), price]),
  );
}

// What a price of a line is worth on the axis: itself, or the move since the line's anchor, in
// percent or in the usual moves of the whole span. Null if that is not known.
export function worth(price, line, unit, seconds, base) {
  if (price === null || unit === "price") return price;
  if (unit === "percent") return base ? (price / base - 1) * 100 : null;
  const { anchor } = line;
  return anchor && Math.log(price / anchor.price) / usual(anchor, seconds);
}

// The usual move over some seconds from an anchor on, as the logarithm of a ratio of prices: it
// grows with the square root of time.
export function usual(anchor, seconds) {
  return anchor.vol * Math.sqrt(seconds / VOL_SEC);
}

// The band of ±1σ of a line at some instants, from its anchor on: [instant, low, high].
export function band({ anchor }, unit, seconds, begin, end, count = 60) {
  if (!anchor) return [];
  const first = Math.max(anchor.ts, begin);
  return Array.from({ length: count + 1 }, (_, place) => {
    const ts = first + (Math.max(0, end - first) * place) / count;
    const by = usual(anchor, Math.max(0, ts - anchor.ts));
    const edges = [-by, by].map((log) =>
      worth(anchor.price * Math.exp(log), { anchor }, unit, seconds, anchor.price),
    );
    return [ts, ...edges];
  });
}

// How long a chart is that is shown whole.
export function spanSec({ span }) {
  return { "15m": 900, "1h": 3600, day: 86400 }[span];
}

// A line of a chart: all its points, its worth from one instant to another, and the last known.
export function seriesOf(line, chart, unit, begin, end) {
  const all = points(line, chart.step, chart.end);
  const base = line.anchor?.price ?? all.find(([ts, price]) => ts > chart.begin && price)?.[1];
  const inside = all
    .filter(([ts]) => ts > begin && ts <= end)
    .map(([ts, price]) => [ts, worth(price, line, unit, spanSec(chart), base)]);
  return { line, all, inside, last: inside.findLast(([, value]) => value !== null) };
}

// What a line is worth at an instant: by its newest step with a price, if that is not older than
// what is no hole; null if it is.
export function valueAt({ inside }, ts, holeSec) {
  return newestAt(inside, ts, holeSec);
}

// How far a line went by then since its anchor, and how far it usually does; empty if not known.
export function sinceText({ line, all }, ts, holeSec, clock) {
  const { anchor } = line;
  const price = newestAt(all, ts, holeSec);
  if (!anchor || price === null || ts <= anchor.ts) return "";
  const times = Math.abs(Math.log(price / anchor.price)) / usual(anchor, ts - anchor.ts);
  const since = clock.text(anchor.ts).slice(0, 5);
  const move = signed((price / anchor.price - 1) * 100, 2);
  return `${move} % since ${since}, ${times.toFixed(1)} × usual`;
}

function newestAt(steps, ts, holeSec) {
  const found = steps.findLast(([at, value]) => at <= ts && value !== null);
  return found && ts - found[0] <= holeSec ? found[1] : null;
}

// Places of labels, each as near to its own as it can be with `apart` between any two, in order.
export function spreadOut(places, apart, low, high) {
  const order = places.map((place, index) => [place, index]).sort((a, b) => a[0] - b[0]);
  const found = new Array(places.length);
  let before = low - apart;
  for (const [place, index] of order) before = found[index] = Math.max(place, before + apart);
  let after = high + apart;
  for (const [, index] of order.reverse())
    after = found[index] = Math.min(found[index], after - apart);
  return found;
}

// A number in groups of three, with so many decimals.
export function grouped(value, digits) {
  return value.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

// The same with its sign; what rounds to zero has none.
export function signed(value, digits) {
  const text = grouped(Math.abs(value), digits);
  return `${Number(text.replaceAll(",", "")) === 0 ? "" : value < 0 ? MINUS : "+"}${text}`;
}
