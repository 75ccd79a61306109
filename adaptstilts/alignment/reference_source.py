"""Where reference encoders come from: sentence-transformers, or an installed package."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from adaptstilts.alignment.encoder import Encoder
from adaptstilts.base.identity import COMMIT
from adaptstilts.data.hub import require_answer
from adaptstilts.errors import DataError, HubError, MachineError

ATTRIBUTE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
"""`module:attribute`; no repository of the hub has a colon in its name."""

MODULES = "modules.json"
"""The file by which a sentence-transformers model is known."""


def reference_key(spec: str, *, revision: str | None = None) -> str:
    """What decides an encoder's vectors, found without loading it: a part of a stage's key.

    Args:
        spec: As in `open_encoder`.
        revision: As in `open_encoder`.

    Returns:
        Repository and commit; or a digest of the folder's files; or the attribute with the name
        and version of its package (with a digest of the module's file where it belongs to none).

    Raises:
        DataError: There is no such folder or module, or the commit is missing.
    """
    if _is_attribute(spec):
        module, _, _ = spec.partition(":")
        root = module.partition(".")[0]
        packages = sorted(set(packages_distributions().get(root, [])))
        if packages:
            return ";".join([spec, *(f"{name}=={version(name)}" for name in packages)])
        return f"{spec};{_digest([_module_file(spec)])}"
    folder = _folder(spec, revision)
    if folder is None:
        return f"{spec}@{revision}"
    return _digest(sorted(path for path in folder.rglob("*") if path.is_file()), folder)


def open_encoder(spec: str, *, revision: str | None = None, device: str = "cpu") -> Encoder:
    """Opens a reference encoder; afterwards `encode_reference` gives its vectors.

    Args:
        spec: A sentence-transformers model (folder or hub repository), or `module:attribute` of an
            installed package: an object with `encode`, or a class or function that gives one when
            called without arguments. The package's code is run.
        revision: The commit of a hub repository, 40 hexadecimal digits; else None.
        device: Where a sentence-transformers model is put: `cpu` or `cuda`.

    Raises:
        DataError: There is no such folder, module or attribute, the commit is missing, or what was
            found is no encoder.
        HubError: The hub could not be reached and the cache has no copy.
        MachineError: sentence-transformers is not installed.
    """
    if _is_attribute(spec):
        return _from_package(spec)
    return _from_sentence_transformers(spec, revision, device)


def _is_attribute(spec: str) -> bool:
    return ATTRIBUTE.fullmatch(spec) is not None and not Path(spec).is_dir()


def _no_module(spec: str, name: str | None) -> DataError:
    return DataError(
        f"reference encoder `{spec}`: there is no module {name!r} in this installation; install "
        "the package that has it, or mend the name (module:attribute)"
    )


def _module_file(spec: str) -> Path:
    """The file of the module that a `module:attribute` names, without running it."""
    name, _, _ = spec.partition(":")
    try:
        found = find_spec(name)
    except ModuleNotFoundError as error:
        raise _no_module(spec, error.name) from error
    if found is None or found.origin is None or not Path(found.origin).is_file():
        raise _no_module(spec, name)
    return Path(found.origin)


def _from_package(spec: str) -> Encoder:
    """The object that a `module:attribute` names, made first where it is a class or function."""
    try:
        found: Any = import_module(spec.partition(":")[0])
    except ModuleNotFoundError as error:
        raise _no_module(spec, error.name) from error
    for name in spec.partition(":")[2].split("."):
        if not hasattr(found, name):
            raise DataError(
                f"reference encoder `{spec}`: {getattr(found, '__name__', found)} has no attribute "
                f"{name!r}; mend the name (module:attribute)"
            )
        found = getattr(found, name)
    if callable(found) and (inspect.isclass(found) or not hasattr(found, "encode")):
        try:
            inspect.signature(found).bind()
        except TypeError as error:
            raise DataError(
                f"reference encoder `{spec}`: it cannot be called without arguments ({error}); "
                "name an object, or a function of yours that calls it with them"
            ) from error
        found = found()
    if not callable(getattr(found, "encode", None)):
        raise DataError(
            f"reference encoder `{spec}`: a {type(found).__name__} without the method "
            "`encode(list of texts)`, which must give an array of one row a text"
        )
    encoder: Encoder = found
    return encoder


def _from_sentence_transformers(spec: str, revision: str | None, device: str) -> Encoder:
    folder = _folder(spec, revision)
    try:
        module = import_module("sentence_transformers")
    except ModuleNotFoundError as error:
        if error.name != "sentence_transformers":
            raise
        raise MachineError(
            f"reference encoder `{spec}` needs sentence-transformers, which is not installed; "
            "install it with: pip install 'adaptstilts[encoders]'"
        ) from error
    if folder is None:
        _require_on_hub(spec, revision)
    try:
        encoder: Encoder = module.SentenceTransformer(
            spec if folder is None else str(folder),
            revision=revision if folder is None else None,
            device=device,
            # Never a pickle, never code from a repository; full precision whatever was saved.
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "dtype": "float32"},
        )
    except OSError as error:
        raise _unavailable(spec, error) from error
    return encoder


def _folder(spec: str, revision: str | None) -> Path | None:
    """The folder of a sentence-transformers model; None for one that comes from the hub.

    Raises:
        DataError: The folder holds none, or a hub repository without a commit.
    """
    folder = Path(spec).expanduser()
    if folder.is_dir():
        if not (folder / MODULES).is_file():
            # The library would put a mean over whatever encoder is there, and not say so here.
            raise DataError(
                f"reference encoder: {folder} holds no sentence-transformers model (no {MODULES}); "
                "a bare encoder is measured as a base, with its layer named"
            )
        return folder
    if revision is None or not COMMIT.fullmatch(revision):
        raise DataError(
            f"reference encoder `{spec}`: there is no such folder, and a model from the hub needs "
            f"its commit as the revision (40 hexadecimal digits); found {revision!r}"
        )
    return None


def _require_on_hub(spec: str, revision: str | None) -> None:
    """Fetches the list of modules, or says at once why that cannot be done."""
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import RemoteEntryNotFoundError

    cached = try_to_load_from_cache(spec, MODULES, revision=revision)
    try:
        if not isinstance(cached, str) and not constants.HF_HUB_OFFLINE:
            require_answer(constants.ENDPOINT)
        hf_hub_download(spec, MODULES, revision=revision)
    except RemoteEntryNotFoundError as error:
        raise DataError(
            f"reference encoder: {spec} is no sentence-transformers model (no {MODULES}); a bare "
            "encoder is measured as a base, with its layer named"
        ) from error
    except Exception as error:  # the HTTP library's own errors share no base with ours
        raise _unavailable(spec, error) from error


def _unavailable(spec: str, error: Exception) -> HubError:
    return HubError(
        f"the reference encoder {spec} could not be had from the hub or its cache "
        f"({str(error).splitlines()[0]}). Connect once so that it is cached, or name a folder"
    )


def _digest(paths: Sequence[Path], folder: Path | None = None) -> str:
    """SHA-256 over files: their names within the folder, and their bytes."""
    digest = hashlib.sha256()
    for path in paths:
        name = path.name if folder is None else path.relative_to(folder).as_posix()
        digest.update(f"{len(name)}:{name}".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
