"""`tracking.watch_everything()`: every client made from now on is watched, of packages imported now or later."""

import importlib.abc
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Self
from weakref import WeakSet

from tracking.capture.patches import Patches
from tracking.capture.recorder import Recorder
from tracking.capture.watch import unwatch, watch
from tracking.interrupts import raise_interrupt_behind

MAKERS: Mapping[str, Sequence[tuple[str, str]]] = {
    "openai._base_client": (("SyncAPIClient", "__init__"), ("AsyncAPIClient", "__init__")),
    "anthropic._base_client": (("SyncAPIClient", "__init__"), ("AsyncAPIClient", "__init__")),
    "groq._base_client": (("SyncAPIClient", "__init__"), ("AsyncAPIClient", "__init__")),
    "google.genai.client": (("Client", "__init__"),),
    "mistralai.client.sdk": (("Mistral", "__init__"),),
    "cohere.base_client": (("BaseCohere", "__init__"), ("AsyncBaseCohere", "__init__")),
    "ollama._client": (("BaseClient", "__init__"),),
    "botocore.client": (("ClientCreator", "create_client"),),
}
"""Where each package makes its clients: a module's class, and its method that has made one when it returns."""


class Watching:
    """What `watch_everything()` returns: `undo()` stops it, for clients made meanwhile too; a `with` block does so."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._patches = Patches()
        self._clients: WeakSet[Any] = WeakSet()
        self._finder = _Finder(self._patch)
        for name in MAKERS:
            if (module := sys.modules.get(name)) is not None:
                self._patch(module)
        sys.meta_path.insert(0, self._finder)

    def undo(self) -> None:
        """Watch nothing more. Idempotent."""
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        self._patches.undo()
        for client in list(self._clients):
            unwatch(client)
        self._clients.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.undo()

    def _patch(self, module: ModuleType) -> None:
        for of_class, method in MAKERS[module.__name__]:
            if (maker := getattr(module, of_class, None)) is not None and hasattr(maker, method):
                self._patches.replace(maker, method, self._watching(getattr(maker, method)))
            else:
                self._recorder.fell_short(f"{module.__name__}.{of_class}", AttributeError(method))

    def _watching(self, make: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(make)
        def watched(maker: Any, *given: Any, **options: Any) -> Any:
            made = make(maker, *given, **options)
            client = maker if made is None else made
            try:
                watch(client, self._recorder, None)
                self._clients.add(client)
            except Exception as error:  # a client that is none of a model's, such as S3's, or that we fail on
                raise_interrupt_behind(error)
                if not str(error).startswith("client is one of AWS's"):
                    self._recorder.fell_short(type(client).__name__, error)
            return made

        return watched


class _Finder(importlib.abc.MetaPathFinder):
    """Lets the other finders find a module, and has it patched when it has been loaded."""

    def __init__(self, patch: Callable[[ModuleType], None]) -> None:
        self._patch = patch
        self._searching: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in MAKERS or fullname in self._searching:
            return None
        self._searching.add(fullname)
        try:
            spec = find_spec(fullname)
        finally:
            self._searching.discard(fullname)
        if spec is None or spec.loader is None:
            return spec
        spec.loader = _Loader(spec.loader, self._patch)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: Any, patch: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._patch = patch

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._patch(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
