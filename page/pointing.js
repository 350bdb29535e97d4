// How a viewer points at the chart: with a pointer or the keyboard, at a step, a mark or a part of it.

const NEAR_PX = 10; // so near to a mark a click means it
const DRAG_PX = 8; // and from here on a move is a drag
const LEAST_STEPS = 10; // that can be enlarged
const FAR = 12; // steps that an arrow goes with shift

export class Pointing {
  // `chart` has the steps that it draws, and is told what is pointed at.
  constructor(chart) {
    this.chart = chart;
    this.dragged = null;
  }

  listeners() {
    const { chart } = this;
    return {
      onpointermove: (event) => this.move(event),
      onpointerdown: (event) => this.press(event),
      onpointerup: (event) => this.release(event),
      onpointercancel: () => this.drop(),
      onpointerleave: () => this.dragged || chart.point(null),
      ondblclick: () => chart.enlarge(null),
      onkeydown: (event) => this.key(event),
      onblur: () => chart.point(null),
    };
  }

  // The place of the step under a pointer.
  placeOf(event) {
    const { plot, begin, end, steps, chart } = this.chart;
    const share = (event.clientX - plot.getBoundingClientRect().left) / plot.clientWidth;
    const ts = begin + share * (end - begin);
    const place = steps.findIndex(([at]) => at >= ts - chart.step / 2);
    return place < 0 ? steps.length - 1 : place;
  }

  // By pointer: a drag enlarges what it covers, a click on a mark looks at that event.

  press(event) {
    if (event.button !== 0 || !this.chart.steps?.length) return;
    this.dragged = { from: event.clientX, place: this.placeOf(event), isFar: false };
    this.chart.plot.setPointerCapture(event.pointerId);
  }

  move(event) {
    const { chart, dragged } = this;
    if (!chart.steps?.length) return;
    const place = this.placeOf(event);
    chart.point(place);
    if (!dragged) return;
    if (Math.abs(event.clientX - dragged.from) > DRAG_PX) dragged.isFar = true;
    if (dragged.isFar) chart.choose(this.covered(dragged.place, place));
  }

  release(event) {
    const { chart, dragged } = this;
    if (!dragged) return;
    this.drop();
    if (!dragged.isFar) return this.click(event);
    const part = this.covered(dragged.place, this.placeOf(event));
    if (part[1] - part[0] >= LEAST_STEPS * chart.chart.step) chart.enlarge(part);
  }

  click(event) {
    const { chart } = this;
    const { left } = chart.plot.getBoundingClientRect();
    const near = chart.chart.marks.find(
      ({ ts }) =>
        Math.abs(chart.share(ts) * chart.plot.clientWidth + left - event.clientX) <= NEAR_PX,
    );
    if (near) chart.show(near);
  }

  drop() {
    this.dragged = null;
    this.chart.choose(null);
  }

  // The instants between two places.
  covered(one, other) {
    const { steps, chart } = this.chart;
    const [first, last] = [one, other].sort((a, b) => a - b);
    return [steps[first][0] - chart.step, steps[last][0]];
  }

  // By keyboard: arrows walk, with shift further; + enlarges, − and Escape go back, Enter looks at that
  // second.
  key(event) {
    const { chart } = this;
    const last = (chart.steps?.length ?? 0) - 1;
    if (last < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = chart.at ?? last;
    const by = event.shiftKey ? FAR : 1;
    const places = { ArrowLeft: at - by, ArrowRight: at + by, Home: 0, End: last };
    if (event.key in places) chart.point(Math.max(0, Math.min(last, places[event.key])));
    else if (event.key === "+" && last >= 2 * LEAST_STEPS) chart.enlarge(this.around(at, last));
    else if (event.key === "-" || (event.key === "Escape" && chart.zoom)) chart.enlarge(null);
    else if (event.key === "Enter" && chart.at !== null)
      // A step's price is that of the second before its end.
      chart.lookAt(chart.steps[at][0] - 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // Half of what is shown, around a place.
  around(at, last) {
    const half = Math.max(LEAST_STEPS, Math.ceil(last / 2));
    const first = Math.max(0, Math.min(last - half, at - Math.floor(half / 2)));
    return this.covered(first, first + half);
  }
}
