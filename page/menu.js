// The place among Streamlit's controls in which the board's own switches stand while it is there.

export default function menu({ parentElement }) {
  globalThis.marketPulse?.lend?.(parentElement.querySelector(".market-pulse-menu"));
}
