// What a tab that is turned away does: it tries again after a while, not all such tabs at once.

const WAIT_MS = 30_000;

export default function away() {
  const timer = setTimeout(() => globalThis.location.reload(), WAIT_MS * (1 + Math.random() / 2));
  return () => clearTimeout(timer);
}
