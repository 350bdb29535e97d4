"""OpenMetrics: the status as numbers for a monitor that asks for them every so many seconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from prometheus_client.core import (
    CollectorRegistry,
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    StateSetMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from api.asked import Asked
from api.facts import Engine
from api.health import Verdict, checks, worst
from engine.status import (
    ArchiveState,
    DestinationState,
    FeedState,
    RelayState,
    RelayStatus,
    RelayTrouble,
    Status,
)

__all__ = ["metrics"]

_NAME: Final = "market_pulse_"
_OPENMETRICS: Final = "application/openmetrics-text"
_FEED: Final = ("vendor", "asset")
_SYMBOL: Final = ("symbol", "asset")


def metrics(asked: Asked) -> Response:
    """The metrics, in OpenMetrics 1.0 or Prometheus' text 0.0.4, as the header Accept says."""
    registry = CollectorRegistry()
    registry.register(_Gauges(asked.facts.engine()))
    # Of the forms that are written, whichever version is asked for: one that does not exist would
    # be claimed, and one that is no number would be an error.
    is_open = _OPENMETRICS in asked.request.headers.get("accept", "")
    encode, content_type = choose_encoder(f"{_OPENMETRICS}; version=1.0.0" if is_open else "")
    headers = {"Cache-Control": "no-store", "Content-Type": content_type}
    return Response(encode(registry), headers=headers)


class _Gauges(Collector):
    """What is true of an engine, as the families of metrics that a registry collects."""

    def __init__(self, engine: Engine | None) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """All families."""
        found = checks(self._engine)
        verdict = worst(found)
        yield _states("health", "The worst of all checks.", (), Verdict, [((), verdict)])
        yield _gauge(
            "check_ok",
            "Whether a check passes.",
            ("check",),
            [((name,), float(check.status is Verdict.PASS)) for name, check in found.items()],
        )
        if self._engine is not None:
            yield from _of_worker(self._engine)
            relay = self._engine.status().relay
            if relay is not None:
                yield from _of_relay(relay)
            yield from _of_feeds(self._engine.status())
            yield from _of_archive(self._engine.status())
            yield from _of_alerts(self._engine.status())
            yield from _of_symbols(self._engine)


def _of_worker(engine: Engine) -> Iterator[Metric]:
    status, newest = engine.status(), engine.reader.pulse().now
    yield _gauge("uptime_seconds", "Since it was started.", (), [((), status.uptime)])
    yield _gauge(
        "lag_seconds",
        "How far the newest second is behind its clock.",
        (),
        [((), engine.reader.now() - newest)],
    )
    yield _gauge("queued_ticks", "Ticks that wait to be taken.", (), [((), status.queued)])
    yield _counter(
        "crashes",
        "How often a part crashed and was started again.",
        ("part",),
        [((fault.name,), fault.count) for fault in status.faults],
    )


def _of_relay(relay: RelayStatus) -> Iterator[Metric]:
    names = {"role": relay.role, "host": relay.host, "collector": relay.collector}
    info = InfoMetricFamily(f"{_NAME}relay", "What this process is among several.", labels=())
    info.add_metric((), names)
    yield info
    yield _states("relay_state", "What it does.", (), RelayState, [((), relay.state)])
    # If there is no trouble, none of them is 1.
    troubles = [trouble for trouble in RelayTrouble if trouble]
    rows = [((), relay.trouble)]
    yield _states("relay_trouble", "What is wrong with the broker.", (), troubles, rows)
    is_leading = float(relay.state is RelayState.LEADING)
    for name, text, value in (
        ("is_leading", "Whether this process collects.", is_leading),
        ("silent_seconds", "How long ago the newest second came.", relay.silent_sec),
        ("waiting", "Seconds that wait to be published.", relay.waiting),
        ("took_over_timestamp_seconds", "When the collector began.", relay.took_over_at),
        ("hole_seconds", "For how long nobody collected before that.", relay.hole_sec),
        ("clock_ahead_seconds", "How far the collector's clock is ahead.", relay.ahead_sec),
        ("uncollected_symbols", "Watched here, not collected.", len(relay.uncollected)),
    ):
        yield _gauge(f"relay_{name}", text, (), [((), value)])
    yield _counter("relay_lost", "Seconds that were never published.", (), [((), relay.lost)])


def _of_feeds(status: Status) -> Iterator[Metric]:
    feeds = [((feed.vendor, feed.asset), feed) for feed in status.feeds]
    yield _states(
        "feed_state",
        "The state of a feed.",
        _FEED,
        FeedState,
        [(names, feed.state) for names, feed in feeds],
    )
    yield _gauge(
        "feed_last_tick_age_seconds",
        "How old the newest tick of a feed is.",
        _FEED,
        [(names, feed.last_tick_age) for names, feed in feeds],
    )
    for name, text, values in (
        ("ticks", "Ticks that came.", [feed.ticks for _, feed in feeds]),
        ("reconnects", "Connections that were begun anew.", [f.reconnects for _, f in feeds]),
        ("missed_trades", "Trades that never came.", [feed.missed for _, feed in feeds]),
        ("dropped_ticks", "Ticks that made room for newer.", [feed.dropped for _, feed in feeds]),
    ):
        rows = [(names, value) for (names, _), value in zip(feeds, values, strict=True)]
        yield _counter(f"feed_{name}", text, _FEED, rows)
    yield _counter(
        "feed_refused_prices",
        "Prices that the gate refused, by its reason.",
        (*_FEED, "reason"),
        [
            ((*names, str(reason)), count)
            for names, feed in feeds
            for reason, count in feed.refused.items()
        ],
    )


def _of_archive(status: Status) -> Iterator[Metric]:
    archive = status.archive
    yield _states("archive_state", "The archive.", (), ArchiveState, [((), archive.state)])
    yield _counter("archive_bars", "Bars written.", (), [((), archive.bars)])
    yield _counter("archive_events", "States of events written.", (), [((), archive.events)])
    yield _counter("archive_lost_bars", "Bars lost for lack of room.", (), [((), archive.lost)])
    yield _gauge("archive_waiting_bars", "Bars to be written.", (), [((), archive.waiting)])


def _of_alerts(status: Status) -> Iterator[Metric]:
    found = [((each.name,), each) for each in status.alerts.destinations]
    label = ("destination",)
    yield _states(
        "destination_state",
        "The state of a destination of alerts.",
        label,
        DestinationState,
        [(names, each.state) for names, each in found],
    )
    yield _gauge(
        "alerts_waiting", "Alerts to be sent.", label, [(names, e.waiting) for names, e in found]
    )
    for name, text, values in (
        ("sent", "Alerts sent.", [each.sent for _, each in found]),
        ("dead", "Alerts refused for good.", [each.dead for _, each in found]),
        ("dropped", "Alerts that became too old.", [each.dropped for _, each in found]),
    ):
        rows = [(names, value) for (names, _), value in zip(found, values, strict=True)]
        yield _counter(f"alerts_{name}", text, label, rows)


def _of_symbols(engine: Engine) -> Iterator[Metric]:
    frame = engine.reader.pulse().frame
    names = list(zip(map(str, frame.index), frame["asset"], strict=True))
    for name, text, column in (
        ("last_price", "The newest price.", "last"),
        ("tick_age_seconds", "How old it is.", "age"),
        ("ret_1m", "The move of a minute, as a fraction.", "ret_1m"),
        ("surprise", "The same in standard deviations of the symbol's own.", "surprise"),
    ):
        # NaN is the only value that differs from itself; what is not known is not told.
        rows = [
            (of, value)
            for of, value in zip(names, frame[column].tolist(), strict=True)
            if value == value
        ]
        yield _gauge(f"symbol_{name}", text, _SYMBOL, rows)


# Families. A value that is None is left out.

_Rows = Sequence[tuple[Sequence[str], float | None]]


def _gauge(name: str, text: str, labels: Sequence[str], rows: _Rows) -> Metric:
    unit = "seconds" if name.endswith("_seconds") else ""
    family = GaugeMetricFamily(_NAME + name, text, labels=labels, unit=unit)
    for names, value in rows:
        if value is not None:
            family.add_metric(names, value)
    return family


def _counter(name: str, text: str, labels: Sequence[str], rows: _Rows) -> Metric:
    family = CounterMetricFamily(_NAME + name, text, labels=labels)
    for names, value in rows:
        if value is not None:
            family.add_metric(names, value)
    return family


def _states(
    name: str,
    text: str,
    labels: Sequence[str],
    known: Iterable[str],
    rows: Sequence[tuple[Sequence[str], str]],
) -> Metric:
    family = StateSetMetricFamily(_NAME + name, text, labels=labels)
    for names, state in rows:
        family.add_metric(names, {str(each): each == state for each in known})
    return family
