// What only a first visit does: it makes the page dark, and carries the link's notes over a reload.

const CARRIED = "market-pulse.notes";

// Dark unless the viewer chose otherwise: Streamlit would follow the system. It reads its own note
// of the choice when a page loads, so the first visit of a light system loads twice. The notes on the
// link are carried over: by then the address has been put right.
export function preferDark(notes) {
  const [mine, streamlits] = ["market-pulse.theme", `stActiveTheme-${location.pathname}-v2`];
  try {
    if (localStorage.getItem(mine) || location.search.includes("_theme")) return false;
    localStorage.setItem(mine, "dark");
    if (matchMedia("(prefers-color-scheme: dark)").matches) return false;
    localStorage.setItem(streamlits, JSON.stringify("Dark"));
    sessionStorage.setItem(CARRIED, JSON.stringify(notes));
    location.reload();
    return true;
  } catch {
    // Without storage it stays as the system is.
    return false;
  }
}

export function takeCarried() {
  try {
    const notes = JSON.parse(sessionStorage.getItem(CARRIED)) ?? [];
    sessionStorage.removeItem(CARRIED);
    return notes;
  } catch {
    return [];
  }
}
