"""What a system's expression in the recipe is made of, and how it is called in words."""

from __future__ import annotations

from adaptstilts.report.number import MINUS


def describe(expression: object, before: str = "") -> str:
    """A system's expression in words, such as `−1 × sst2`; a lone adapter after `before`."""
    if expression is None or expression == "none":
        return "the bare base"
    if isinstance(expression, dict):
        scale = expression.get("scale")
        if isinstance(scale, dict) and {"of", "by"} <= scale.keys():
            of, by = scale["of"], scale["by"]
            inner = f"({describe(of)})" if isinstance(of, dict) else describe(of)
            return f"{_factor(by)} × {inner}"
    return f"{before}{expression}"


def adapters_in(expression: object) -> list[str]:
    """Names of the adapters that a system's expression is made of."""
    if isinstance(expression, dict):
        return [name for value in expression.values() for name in adapters_in(value)]
    return [expression] if isinstance(expression, str) and expression != "none" else []


def scaled(expression: object) -> tuple[str, float] | None:
    """The one adapter that is scaled and its whole factor, 1 for a lone adapter; None for others.

    Args:
        expression: A system's expression, such as `{"scale": {"of": "sst2", "by": 0.5}}`.
    """
    if isinstance(expression, str):
        return None if expression == "none" else (expression, 1.0)
    scale = expression.get("scale") if isinstance(expression, dict) else None
    if not isinstance(scale, dict):
        return None
    by, inner = scale.get("by"), scaled(scale.get("of"))
    if inner is None or not isinstance(by, int | float):
        return None
    return inner[0], inner[1] * by


def _factor(by: object) -> object:
    return f"{by:g}".replace("-", MINUS) if isinstance(by, int | float) else by
