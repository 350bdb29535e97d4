// The part that refreshes: hands every message to the board, and what the board chooses and asks to Python.

export default function pipe({ data, setStateValue, setTriggerValue }) {
  const hub = (globalThis.marketPulse ??= {});
  hub.message = data;
  hub.receivedAt = Date.now();
  hub.choose = (choices) => setStateValue("choices", choices);
  hub.ask = (asks) => setStateValue("asks", asks);
  hub.wake = () => setTriggerValue("wake", Date.now());
  hub.askWhole = () => setTriggerValue("whole", Date.now());
  hub.take?.();
}
