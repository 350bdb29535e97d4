"""Start: what the terminal is told at the start: source, role, archive, and how to go live.

No line of it holds a secret: it names vendors, files and the broker's host alone.
"""

from __future__ import annotations

from typing import Final

from settings import RelaySettings, Settings
from ticks import ASSETS, VendorName

__all__ = ["start_lines"]

_NAMES: Final[dict[VendorName, str]] = {
    "eodhd": "EODHD",
    "coinbase": "Coinbase",
    "kraken": "Kraken",
    "binance": "Binance",
    "alpaca": "Alpaca",
    "finnhub": "Finnhub",
}

_LIVE: Final = (
    "Live:     MARKET_PULSE_SOURCE=live shows the real market: crypto and forex without a key,"
    " US stocks with a free one (README)"
)


def start_lines(settings: Settings) -> tuple[str, ...]:
    """A few lines that say what was started, and how to go live if it is not."""
    source = settings.source
    archive = settings.archive_file
    is_replica = settings.relay.role == "replica"
    lines = [] if is_replica else [f"Source:   {_source(settings)}"]
    if settings.relay.url:
        lines.append(f"Role:     {_role(settings.relay)}")
    if source.name != "replay" or is_replica:
        lines.append(f"Archive:  {archive or 'off, nothing is kept'}")
    if source.name == "simulated" and not is_replica:
        lines.append(_LIVE)
    return tuple(lines)


def _role(relay: RelaySettings) -> str:
    place = relay.address.shown
    match relay.role:
        case "alone":
            return f"alone, the broker at {place} is not asked"
        case "auto":
            return f"auto, one of several that share the broker at {place}"
        case "collector":
            return f"collector, publishes by the broker at {place}"
        case "replica":
            return f"replica, shows what the broker at {place} is sent"


def _source(settings: Settings) -> str:
    source = settings.source
    match source.name:
        case "simulated":
            seed = "" if source.seed is None else f", seed {source.seed}"
            return f"simulated market{seed}"
        case "replay":
            return f"replay of {source.replay_file}"
        case _:
            served = [
                f"{asset} from {_NAMES[source.vendors[asset][0]]}"
                for asset in ASSETS
                if source.vendors[asset]
            ]
            missing = [a for a in ASSETS if not source.vendors[a] and a not in source.off]
            lacks = f"; {', '.join(missing)} would need a key" if missing else ""
            return f"real market: {', '.join(served) or 'nobody serves it'}{lacks}"
