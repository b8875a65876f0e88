"""One home for every default: a frozen dataclass per stage.

Its fields say value, reason, unit and bounds.

ROS parameters, ``config/pipeline.yaml`` and the tables in ``docs/`` are made from these records.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_type_hints

from liquid_mono3d_ros.checks import complain

S = TypeVar("S", bound="Settings")


def setting(
    default: Any,
    reason: str,
    *,
    unit: str = "",
    bounds: tuple[float, float] | None = None,
    choices: tuple[str, ...] | None = None,
    live: bool = False,
) -> Any:
    """Declare one value of a ``Settings`` record.

    Args:
        default: The value. Its type is the type of the setting.
        reason: One line: what the value does, or why it is what it is.
        unit: SI unit or px; empty when it has none.
        bounds: Smallest and largest allowed value, both included.
        choices: Allowed words.
        live: Whether a running node takes a new value.
    """
    metadata = {
        "reason": reason,
        "unit": unit,
        "bounds": bounds,
        "choices": choices,
        "live": live,
    }
    return dataclasses.field(default=default, metadata=metadata)


def group(settings: type[Settings]) -> Any:
    """Declare a nested ``Settings`` record; its names get the field's name and a dot in front."""
    return dataclasses.field(default_factory=settings)


@dataclasses.dataclass(frozen=True)
class Setting:
    """One leaf of a ``Settings`` record, with its dotted name."""

    name: str
    default: Any
    reason: str
    unit: str
    bounds: tuple[float, float] | None
    choices: tuple[str, ...] | None
    live: bool
    words: bool
    """Whether the value is text, or a tuple of texts."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """Base of the configuration records: checks every value against its declaration."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Settings):
                continue
            value = _coerce(field.name, value, field.default, hints[field.name])
            object.__setattr__(self, field.name, value)
            _check_value(field.name, value, field.metadata)

    @classmethod
    def leaves(cls, prefix: str = "") -> Iterator[Setting]:
        """Yield each setting of the record and of its groups, in order."""
        hints = get_type_hints(cls)
        for field in dataclasses.fields(cls):
            if field.default_factory is not dataclasses.MISSING:
                yield from field.default_factory.leaves(f"{prefix}{field.name}.")  # type: ignore[attr-defined]
            else:
                words = "str" in str(hints[field.name])
                name = f"{prefix}{field.name}"
                yield Setting(name, field.default, **field.metadata, words=words)

    @classmethod
    def from_flat(cls: type[S], values: Mapping[str, Any]) -> S:
        """Build the record from dotted names; what is not named keeps its default.

        Raises:
            ValueError: If a name is unknown or a value breaks its declaration; the text starts
                with the dotted name.
        """
        known = {leaf.name for leaf in cls.leaves()}
        for name in values:
            if name not in known:
                raise ValueError(
                    complain(
                        name, f"one of {sorted(known)}", "an unknown name", "Check the spelling."
                    )
                )
        return cls._build(values, "")

    @classmethod
    def _build(cls: type[S], values: Mapping[str, Any], prefix: str) -> S:
        arguments: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            name = f"{prefix}{field.name}"
            if field.default_factory is not dataclasses.MISSING:
                arguments[field.name] = field.default_factory._build(values, f"{name}.")  # type: ignore[attr-defined]
            elif name in values:
                arguments[field.name] = values[name]
        try:
            return cls(**arguments)
        except (TypeError, ValueError) as error:
            if prefix and not str(error).startswith(prefix):
                raise type(error)(f"{prefix}{error}") from None
            raise

    def flat(self) -> dict[str, Any]:
        """Return dotted name → value of every setting."""
        values: dict[str, Any] = {}
        for leaf in self.leaves():
            value: Any = self
            for part in leaf.name.split("."):
                value = getattr(value, part)
            values[leaf.name] = value
        return values


def _coerce(name: str, value: Any, default: Any, hint: Any) -> Any:
    """Accept int for float and list for tuple; refuse every other change of type."""
    if isinstance(default, tuple) and isinstance(value, (list, tuple)):
        kind = str if "str" in str(hint) else float
        return tuple(_coerce(name, item, kind(), kind) for item in value)
    if type(default) is float and type(value) is int:
        return float(value)
    if type(value) is not type(default):
        rule = f"a {type(default).__name__}"
        raise TypeError(
            complain(
                name, rule, f"{value!r} ({type(value).__name__})", "Write a value of that type."
            )
        )
    return value


def _check_value(name: str, value: Any, metadata: Mapping[str, Any]) -> None:
    bounds, choices, unit = metadata["bounds"], metadata["choices"], metadata["unit"]
    for item in value if isinstance(value, tuple) else (value,):
        if isinstance(item, float) and math.isnan(item):
            raise ValueError(complain(name, "a number", "nan", "Give a finite value."))
        if bounds is not None and not bounds[0] <= item <= bounds[1]:
            rule = f"between {bounds[0]:g} and {bounds[1]:g} {unit}".rstrip()
            raise ValueError(complain(name, rule, repr(item), "Choose a value in that range."))
        if choices is not None and item not in choices:
            raise ValueError(
                complain(name, f"one of {', '.join(choices)}", repr(item), "Choose one of them.")
            )
