// Which of many elements are in sight or a screen away from it: what the others show need not follow
// every change.

const FEW = 60; // more than a screen has
const MARGIN = "100% 0px";

export class InSight {
  // `appear` is called with an element that comes into sight, of those that were out of it.
  constructor(appear) {
    this.far = new WeakSet();
    const look = ({ target, isIntersecting }) => {
      if (!isIntersecting) this.far.add(target);
      else if (this.far.delete(target)) appear(target);
    };
    // The page's own scroll is within an element.
    const margins = { rootMargin: MARGIN, scrollMargin: MARGIN };
    this.observer = new IntersectionObserver((entries) => entries.forEach(look), margins);
  }

  watch(element) {
    this.observer.observe(element);
    return element;
  }

  // One of `count` elements; a few all follow.
  isFar(element, count) {
    return count > FEW && this.far.has(element);
  }
}
