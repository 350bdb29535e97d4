// What was told to this viewer, in whichever tab: once for each way of telling.

const toldHere = {};

async function untold(way, events) {
  const key = `market-pulse.told.${way}`;
  const take = () => {
    // Where the browser's storage is closed or spoilt, at least once per tab.
    let told = (toldHere[way] ??= []);
    try {
      const stored = JSON.parse(localStorage.getItem(key));
      if (Array.isArray(stored)) told = [...new Set([...stored, ...told])];
    } catch {
      // As above.
    }
    const fresh = events.filter((event) => !told.includes(event.id));
    if (fresh.length) {
      toldHere[way] = [...told, ...fresh.map((event) => event.id)].slice(-300);
      try {
        localStorage.setItem(key, JSON.stringify(toldHere[way]));
      } catch {
        // As above.
      }
    }
    return fresh;
  };
  return navigator.locks ? navigator.locks.request(key, take) : take();
}
