"""From the name of a backend to the backend: a file in ``config/backends`` says what it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.language.backend import Backend
from liquid_mono3d_ros.language.causal_lm import (
    CausalBackend,
    CausalSettings,
    FactsBackend,
    FactsSettings,
)
from liquid_mono3d_ros.language.judgement import VerifierSettings
from liquid_mono3d_ros.language.openai_compatible import EndpointBackend, EndpointSettings
from liquid_mono3d_ros.language.template import TemplateBackend
from liquid_mono3d_ros.language.verified import Verified
from liquid_mono3d_ros.resources import share_path
from liquid_mono3d_ros.settings import Settings

KINDS: dict[str, tuple[type[Settings], Callable[[Any], Backend]]] = {
    "template": (Settings, lambda _: TemplateBackend()),
    "causal_lm": (CausalSettings, CausalBackend),
    "facts_llm": (FactsSettings, FactsBackend),
    "openai_compatible": (EndpointSettings, EndpointBackend),
}
"""Kind of a backend → its settings, and how it is made of them."""


def open_backend(name: str, verifier: VerifierSettings | None = None) -> Backend:
    """Make a backend; all but the template are verified. Nothing is loaded or sent yet.

    Args:
        name: Of a file in ``config/backends``, or a path to one: ``kind`` and its settings.
        verifier: How far a claim may be from its fact.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not understood.
    """
    path = Path(name).expanduser()
    if path.suffix not in (".yaml", ".yml"):
        path = share_path(f"config/backends/{name}.yaml")
    given = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(given, dict) or given.get("kind") not in KINDS:
        got = str(given.get("kind")) if isinstance(given, dict) else "no mapping"
        cure = "Copy one of config/backends."
        raise ValueError(complain(f"kind in {path}", f"one of {', '.join(KINDS)}", got, cure))
    kind = given.pop("kind")
    settings, make = KINDS[kind]
    backend = make(settings.from_flat(given))
    return backend if kind == "template" else Verified(backend, verifier)
