// Whether the viewer's hand is on something: then nothing of it may move.

const REST_MS = 60_000; // a pointer or a focus that is left there for so long is no hand

export class Hold {
  // `settle` is called when the hand has gone.
  constructor(element, settle) {
    this.pointedAt = this.typedAt = -Infinity;
    const point = () => (this.pointedAt = Date.now());
    const type = ({ target }) => {
      if (target.matches(":focus-visible")) this.typedAt = Date.now();
    };
    const leave = (name) => () => {
      if (this[name] === -Infinity) return;
      this[name] = -Infinity;
      // Once what runs is done: an element that loses the focus because it is being removed says so in
      // the middle of that.
      queueMicrotask(settle);
    };
    element.addEventListener("pointerenter", point);
    element.addEventListener("pointermove", point);
    element.addEventListener("pointerleave", leave("pointedAt"));
    element.addEventListener("focusin", type);
    element.addEventListener("keydown", type);
    element.addEventListener("focusout", ({ relatedTarget }) => {
      if (!element.contains(relatedTarget)) leave("typedAt")();
    });
  }

  isHeld(now) {
    return now - Math.max(this.pointedAt, this.typedAt) < REST_MS;
  }
}
