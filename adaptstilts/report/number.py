"""How numbers are written: percent, signed points, intervals, counts, durations, sizes."""

from __future__ import annotations

import math
from collections.abc import Iterable

MINUS = "−"
ABSENT = "—"


def is_interval(low: float, high: float) -> bool:
    """Whether both ends are numbers; a score without an interval has none."""
    return math.isfinite(low) and math.isfinite(high)


def percent(share: float) -> str:
    """A share in 0–1 as percent with one decimal, such as `71.3 %`."""
    return f"{share * 100:.1f} %"


def bare_percent(share: float) -> str:
    """A share in 0–1 in percent without the sign, such as `71.3`."""
    return f"{share * 100:.1f}"


def percent_interval(low: float, high: float) -> str:
    """An interval of shares, such as `70.1–72.4`; empty where there is none."""
    if not is_interval(low, high):
        return ""
    if low * 100 <= -0.05:  # a dash would read as a second minus
        return f"{MINUS}{-low * 100:.1f} to {high * 100:.1f}".replace("to -", f"to {MINUS}")
    return f"{max(low * 100, 0.0):.1f}–{high * 100:.1f}"


def points(difference: float, decimals: int = 1) -> str:
    """A difference of shares in points with its sign, such as `−3.1`; zero has no sign."""
    text = f"{abs(difference) * 100:.{decimals}f}"
    if float(text) == 0:
        return text
    return f"{MINUS if difference < 0 else '+'}{text}"


def decimals_for(low: float, high: float) -> int:
    """Decimals that keep the end of an interval that excludes zero visibly off zero."""
    if not is_interval(low, high) or low <= 0 <= high:
        return 1
    nearer = min(abs(low), abs(high)) * 100
    return next((decimals for decimals in (1, 2, 3) if round(nearer, decimals) > 0), 4)


def points_interval(low: float, high: float, decimals: int | None = None) -> str:
    """An interval of differences in points, such as `−3.6 to −2.6`; empty where there is none."""
    if not is_interval(low, high):
        return ""
    places = decimals_for(low, high) if decimals is None else decimals
    return f"{points(low, places)} to {points(high, places)}"


def sized(difference: float) -> str:
    """A difference without its sign, with its unit, such as `1 point` or `0.5 points`."""
    size = abs(difference) * 100
    text = f"{size:.2g}" if size < 10 else f"{size:.0f}"
    return f"{text} point{'' if text == '1' else 's'}"


def plain(value: float, decimals: int = 3) -> str:
    """A number as it is, such as `−0.042`; a dash for what is not a number."""
    if not math.isfinite(value):
        return ABSENT
    text = f"{abs(value):.{decimals}f}"
    return f"{MINUS}{text}" if value < 0 and float(text) != 0 else text


def signed(value: float, decimals: int = 3) -> str:
    """A difference as it is, with its sign, such as `+0.042`."""
    text = plain(value, decimals)
    return f"+{text}" if value > 0 and float(text) != 0 else text


def chance(p: float | None) -> str:
    """A p value, such as `0.032` or `< 0.001`; a dash where there is none."""
    if p is None or not math.isfinite(p):
        return ABSENT
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def listed(names: Iterable[str]) -> str:
    """Names in a sentence, such as `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def count(number: int) -> str:
    """A whole number with thousands set apart, such as `19,548`."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """A count with its noun, such as `1 language` or `20 languages`."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """A duration, such as `48.2 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def size(bytes_: int | None) -> str:
    """A size in binary units, such as `1.2 GiB`; a dash where it is unknown."""
    if bytes_ is None:
        return ABSENT
    value, unit = float(bytes_), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if unit in {"B", "KiB"} else f"{value:.1f} {unit}"
