// How the page's style sheets are linted; prettier formats them.

export default {
  extends: "stylelint-config-standard",
  rules: {
    // Rules of a state stand beside what they change, not in the order of their weight.
    "no-descending-specificity": null,
  },
};
