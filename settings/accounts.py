"""Whom the live market is asked of: the vendors of each asset class, and the keys they want."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from settings.given import Entry, SettingsError, api_key
from ticks import ASSETS, VENDORS, Asset, VendorName

__all__ = [
    "CHAINS",
    "EODHD_ALONE",
    "KEY_VARIABLES",
    "PUBLIC_KEY",
    "Accounts",
    "accounts",
    "chains",
    "chosen",
    "eodhd_alone",
    "switched_off",
]

CHAINS: Final[Mapping[Asset, tuple[VendorName, ...]]] = MappingProxyType(
    {
        "stocks": ("eodhd", "alpaca", "finnhub"),
        "forex": ("eodhd", "kraken"),
        "crypto": ("eodhd", "coinbase", "kraken", "binance"),
    }
)
"""The vendors that carry each asset class; the first that is available serves it."""

EODHD_ALONE: Final[Mapping[Asset, tuple[VendorName, ...]]] = MappingProxyType(
    dict.fromkeys(ASSETS, ("eodhd",))
)

KEY_VARIABLES: Final[Mapping[VendorName, tuple[str, ...]]] = MappingProxyType(
    {
        "eodhd": ("EODHD_API_KEY",),
        "alpaca": ("ALPACA_API_KEY", "ALPACA_API_SECRET"),
        "finnhub": ("FINNHUB_API_KEY",),
    }
)
"""What each vendor that wants keys calls them; the other vendors want none."""

PUBLIC_KEY: Final = "demo"
"""EODHD's own, for everybody."""

_SIGN_UP: Final[Mapping[VendorName, str]] = MappingProxyType(
    {
        "eodhd": f"from https://eodhd.com; the public key is {PUBLIC_KEY}",
        "alpaca": "free from https://app.alpaca.markets/signup",
        "finnhub": "free from https://finnhub.io/register",
    }
)
"""Where to get keys."""

_OFF: Final = "off"


@dataclass(frozen=True, slots=True)
class Accounts:
    """The keys that are set, by the names of their variables."""

    found: Mapping[str, str] = field(repr=False)

    @property
    def keys(self) -> Mapping[VendorName, tuple[str, ...]]:
        """The keys of each vendor that has all it wants."""
        return MappingProxyType(
            {
                vendor: tuple(self.found[name] for name in names)
                for vendor, names in KEY_VARIABLES.items()
                if not self.missing(vendor)
            }
        )

    @property
    def values(self) -> Sequence[str]:
        """Every key that is set."""
        return tuple(self.found.values())

    def missing(self, vendor: VendorName) -> tuple[str, ...]:
        """The variables without which a vendor is not available."""
        return tuple(name for name in KEY_VARIABLES.get(vendor, ()) if name not in self.found)

    def reject_halves(self) -> None:
        """Raise if a vendor has one of its keys and not the other."""
        for vendor, names in KEY_VARIABLES.items():
            missing = self.missing(vendor)
            if missing and len(missing) < len(names):
                (there, *_) = (name for name in names if name not in missing)
                raise SettingsError(
                    f"{there} is set but {missing[0]} is not, expected both"
                    f" ({_SIGN_UP[vendor]}): set it, or remove {there}"
                )


def accounts(environ: Mapping[str, str], files: Sequence[Path]) -> Accounts:
    """The keys that stand in the environment or in one of Streamlit's ``files``."""
    names = (name for names in KEY_VARIABLES.values() for name in names)
    found = {name: api_key(name, environ, files) for name in names}
    return Accounts(MappingProxyType({name: key for name, key in found.items() if key}))


def chains(
    choices: Mapping[Asset, Entry], available: Accounts
) -> Mapping[Asset, tuple[VendorName, ...]]:
    """The available vendors of each class, the chosen one first; none if the class is off.

    Raises:
        SettingsError: if the chosen vendor lacks its key, or if every class is off.
    """
    available.reject_halves()
    return _watched(choices, {asset: _chain(asset, choices[asset], available) for asset in ASSETS})


def chosen(asset: Asset, entry: Entry) -> VendorName | None:
    """The vendor that was chosen for a class; None if none was, or if the class is off.

    Raises:
        SettingsError: if there is no such vendor, or it does not carry the class.
    """
    value = entry.value.casefold() if isinstance(entry.value, str) else entry.value
    if value is None or value == _OFF:
        return None
    for vendor in VENDORS:
        if value == vendor and vendor in CHAINS[asset]:
            return vendor
    expected = f"{', '.join(CHAINS[asset])} or {_OFF}"
    if value in VENDORS:
        raise SettingsError(
            f"{entry.place} is {value}, which carries no {asset} here, expected {expected}"
        )
    raise entry.wrong(expected)


def eodhd_alone(choices: Mapping[Asset, Entry]) -> Mapping[Asset, tuple[VendorName, ...]]:
    """EODHD for each class that is not off.

    Raises:
        SettingsError: if another vendor is chosen for one, or if every class is off.
    """
    for asset in ASSETS:
        vendor = chosen(asset, choices[asset])
        if vendor not in (None, "eodhd"):
            raise SettingsError(
                f"{choices[asset].place} is {vendor} but the source is eodhd, which is EODHD alone:"
                " choose the source live, or remove it"
            )
    return _watched(
        choices, {asset: () if _is_off(choices[asset]) else ("eodhd",) for asset in ASSETS}
    )


def _watched(
    choices: Mapping[Asset, Entry], found: Mapping[Asset, tuple[VendorName, ...]]
) -> Mapping[Asset, tuple[VendorName, ...]]:
    if any(found.values()):
        return MappingProxyType(found)
    places = ", ".join(choices[asset].place for asset in ASSETS if _is_off(choices[asset]))
    raise SettingsError(
        f"{places} leave nothing to watch, expected a vendor for one of them at least: choose one"
    )


def switched_off(choices: Mapping[Asset, Entry]) -> frozenset[Asset]:
    """The classes that were chosen to be off."""
    return frozenset(asset for asset, entry in choices.items() if _is_off(entry))


def _is_off(entry: Entry) -> bool:
    return isinstance(entry.value, str) and entry.value.casefold() == _OFF


def _chain(asset: Asset, entry: Entry, available: Accounts) -> tuple[VendorName, ...]:
    if _is_off(entry):
        return ()
    first = chosen(asset, entry)
    if first is not None and available.missing(first):
        missing = available.missing(first)
        are, them = ("are", "them") if len(missing) > 1 else ("is", "it")
        raise SettingsError(
            f"{entry.place} is {first} but {' and '.join(missing)} {are} not set, expected a key"
            f" ({_SIGN_UP[first]}): set {them}, or choose another vendor or {_OFF}"
        )
    rest = (v for v in CHAINS[asset] if v != first and not available.missing(v))
    return (*(() if first is None else (first,)), *rest)
