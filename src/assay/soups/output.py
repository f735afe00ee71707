"""Output: the soup as one file or as a folder, whole or not at all.

>>> import tempfile, torch
>>> from assay.soups.checkpoints import StateDict
>>> from assay.soups.uniform import Uniform
>>> blend = Blend((StateDict("a", {"w": torch.ones(2)}),), Uniform(), (1.0,))
>>> path = Path(tempfile.mkdtemp()) / "soup.safetensors"
>>> save_blend(blend, path)
[]
>>> path.stat().st_size > 8
True
"""

import json
import re
import shutil
from pathlib import Path

from assay.core.atomic import stage_file, stage_folder
from assay.errors import UnsupportedError
from assay.soups.base import get_torch
from assay.soups.blend import Blend
from assay.soups.folders import SUFFIXES
from assay.soups.lora import CONFIG
from assay.soups.safetensors_file import order_tensors, write_safetensors

__all__ = ["save_blend"]

# What a folder has beside its weights that belongs to the model, and not to its training.
COMPANIONS = ("*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken")
NOT_COPIED = re.compile(r".*\.index\.json|trainer_state\.json|all_results\.json|.*_results\.json")


def save_blend(blend: Blend, path: str | Path) -> list[str]:
    """Write a soup: to one file, or to a folder with the files that the first checkpoint has.

    Parameters:
        blend: The soup.
        path: A file that ends in .safetensors, written part by part; one in .pt, .pth, .ckpt or
            .bin, of PyTorch, for which all tensors are held in memory; or a new folder, which gets
            files of safetensors (in shards with an index where the first checkpoint is in shards)
            and what its folder holds of configuration and tokenizer.

    Returns:
        Notes on what was written.

    Raises:
        UnsupportedError: The name ends in another way, or a LoRA adapter is written to a file.
        ReadError: It cannot be written.
    """
    place = Path(path)
    suffix = place.suffix.lower()
    is_peft = blend.lora is not None and blend.lora.config is not None
    is_file = suffix in SUFFIXES and not place.is_dir()
    if is_file and is_peft:
        raise UnsupportedError(
            f"{path}: the fused LoRA adapter has another rank, which its {CONFIG} must say: name a "
            f"new folder, which gets both"
        )
    if not is_file:
        _refuse_suffix(place)
        return _save_folder(blend, place)
    if suffix == ".safetensors":
        with stage_file(place) as staged:
            _write(blend, staged, list(blend.specs))
    else:
        with stage_file(place) as staged:
            get_torch().save(blend.build(), staged)
    return []


def _refuse_suffix(place: Path) -> None:
    """UnsupportedError where a name looks like that of a file, but of no kind that is written."""
    if not place.is_dir() and re.fullmatch(r"\.[a-z]\w{0,11}", place.suffix):
        raise UnsupportedError(
            f"{place}: weights are written to a file that ends in {', '.join(SUFFIXES)}, or to a "
            f"folder; give such a name"
        )


def _write(blend: Blend, path: str | Path, names: list[str]) -> None:
    """Write the tensors of those `names` to one file of safetensors."""
    specs = {name: blend.specs[name] for name in names}
    order = order_tensors(specs)
    # Transformers reads no file whose metadata do not say which framework it is of.
    metadata = {"format": "pt", **blend.checkpoints[0].metadata}
    write_safetensors(path, {name: specs[name] for name in order}, metadata, blend.compute(order))


def _save_folder(blend: Blend, folder: Path) -> list[str]:
    """Write the files of a folder, named as those of the first checkpoint."""
    first = blend.checkpoints[0]
    files = {name: _rename(first.files.get(name, _name_file(blend))) for name in blend.specs}
    with stage_folder(folder) as staged:
        copied = _copy_companions(first.path, staged)
        for file in dict.fromkeys(files.values()):
            _write(blend, staged / file, [name for name in blend.specs if files[name] == file])
        if first.files and first.path is not None:
            _write_index(blend, files, staged / _rename(first.path.name))
        if blend.lora is not None and blend.lora.config is not None:
            (staged / CONFIG).write_text(json.dumps(blend.lora.config, indent=2) + "\n")
    return [f"Copied from {first.name}: {', '.join(copied)}."] if copied else []


def _name_file(blend: Blend) -> str:
    """The name of the file of weights, where there is one."""
    path = blend.checkpoints[0].path
    known = ("model", "pytorch_model", "adapter_model", "diffusion_pytorch_model")
    stem = path.stem if path is not None and path.stem in known else "model"
    return f"{stem}.safetensors"


def _rename(file: str) -> str:
    """The name of a `file` of PyTorch as one of safetensors has it."""
    return re.sub(r"\.bin\b", ".safetensors", re.sub(r"^pytorch_model", "model", file))


def _write_index(blend: Blend, files: dict[str, str], path: Path) -> None:
    """Write the index that says in which of the `files` each tensor is."""
    size = sum(spec.size * spec.dtype.itemsize for spec in blend.specs.values())
    index = {"metadata": {"total_size": size}, "weight_map": files}
    path.write_text(json.dumps(index, indent=2) + "\n")


def _copy_companions(path: Path | None, folder: Path) -> list[str]:
    """Copy what lies beside the weights at `path` and belongs to the model; the names copied."""
    if path is None or not (path.parent / "config.json").is_file():
        return []
    found = {place for pattern in COMPANIONS for place in path.parent.glob(pattern)}
    copied = sorted(place for place in found if not NOT_COPIED.fullmatch(place.name))
    for place in copied:
        shutil.copyfile(place, folder / place.name)
    return [place.name for place in copied]
