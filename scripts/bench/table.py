"""What was measured, as a table for a person or in Markdown, and whether it is what hob is asked for."""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field


def median(times):
    return statistics.median(times)


def p95(times):
    """The smallest time that 95 of 100 do not exceed (nearest rank)."""
    return sorted(times)[math.ceil(0.95 * len(times)) - 1]


@dataclass
class Target:
    """What is asked of hob. `met` is handed hob's figures and Docker Compose's, which may be none."""

    text: str
    met: Callable


def part_of_compose(part):
    """At most 1/part of Docker Compose's median; nothing can be said without Docker Compose."""
    return Target(f"1/{part}", lambda hob, peer: median(hob) * part <= median(peer) if peer else None)


def at_most(unit, most, most_p95=None):
    """A median, and maybe a 95th percentile, whatever Docker Compose takes."""
    text = f"{most:g} {unit}" + (f", p95 {most_p95:g}" if most_p95 else "")
    return Target(text, lambda hob, _: median(hob) <= most and (most_p95 is None or p95(hob) <= most_p95))


@dataclass
class Row:
    """One row: hob's figures beside Docker Compose's."""

    work: str
    target: Target
    hob: list[float]
    peer: list[float] = field(default_factory=list)
    unit: str = "ms"

    def met(self):
        return self.target.met(self.hob, self.peer) if self.hob else False

    def cells(self):
        hob, peer = _figures(self.hob, self.unit), _figures(self.peer, self.unit)
        ratio = _ratio(median(self.hob), median(self.peer)) if self.hob and self.peer else "–"
        verdict = {True: "yes", False: "NO", None: "–"}[self.met()]
        return [self.work, str(len(self.hob)), hob[0], hob[1], peer[0], peer[1], ratio, self.target.text, verdict]


HEAD = ["work", "runs", "hob", "p95", "Compose", "p95", "hob / Compose", "at most", "met"]


def _figures(times, unit):
    return [f"{_short(of(times))} {unit}" if times else "–" for of in (median, p95)]


def _ratio(hob, peer):
    return f"1/{peer / hob:.1f}" if hob <= peer else f"{hob / peer:.1f}"


def _short(number):
    return f"{number:.1f}" if number < 100 else f"{number:,.0f}"


def render(head, rows, markdown):
    """A table: Markdown, or columns."""
    if markdown:
        lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)
    widths = [max(len(line[at]) for line in [head, *rows]) for at in range(len(head))]
    pad = lambda at, text: text.ljust(widths[at]) if at == 0 else text.rjust(widths[at])  # noqa: E731
    return "\n".join("  ".join(pad(at, text) for at, text in enumerate(line)).rstrip() for line in [head, *rows])
