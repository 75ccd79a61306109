"""What every section of a recipe shares: a closed model, names, shares, lists without repeats."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
_PERCENT_PATTERN = r"^\s*[0-9]+(\.[0-9]+)?\s*%\s*$"
_SHARE_PATTERN = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*")

Item = TypeVar("Item")


class Section(BaseModel):
    """A closed, frozen, strict mapping; unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _percent_to_share(value: Any) -> Any:
    """`10%` → 0.1; anything that is not text goes through untouched."""
    if not isinstance(value, str):
        return value
    match = _SHARE_PATTERN.fullmatch(value)
    if match is None:
        raise PydanticCustomError("share", "expected a share such as 0.1 or 10%")
    return float(match.group(1)) / 100


def _without_repeats(values: list[Item]) -> list[Item]:
    """Refuses a list that names the same thing twice."""
    for index, value in enumerate(values):
        if value in values[:index]:
            raise PydanticCustomError("repeated", "`{value}` stands here twice", {"value": value})
    return values


_PercentText: TypeAlias = Annotated[str, Field(pattern=_PERCENT_PATTERN)]
_SharePlain: TypeAlias = Annotated[float, Field(gt=0, le=1)]
_ShareOrNonePlain: TypeAlias = Annotated[float, Field(ge=0, le=1)]

Name: TypeAlias = Annotated[str, Field(pattern=NAME_PATTERN)]
Seed: TypeAlias = Annotated[int, Field(ge=0, lt=2**32)]
Text: TypeAlias = Annotated[str, Field(min_length=1)]
Share: TypeAlias = Annotated[
    _SharePlain,
    BeforeValidator(_percent_to_share, json_schema_input_type=_SharePlain | _PercentText),
]
ShareOrNone: TypeAlias = Annotated[
    _ShareOrNonePlain,
    BeforeValidator(_percent_to_share, json_schema_input_type=_ShareOrNonePlain | _PercentText),
]
NoRepeats = AfterValidator(_without_repeats)
UNIQUE: dict[str, Any] = {"uniqueItems": True}
