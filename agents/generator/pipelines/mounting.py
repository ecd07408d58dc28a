# pyright: basic
"""What keeps a resident model from being left half changed: it is as it was after a mount that failed, or it is
broken, and thrown away.

Only the device's thread calls this.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from agents.generator.device.errors import is_device_error, reason_of
from protocol.errors import AcpError


class ModelThrownAway(Exception):
    """A model is not what an order asks for, and cannot become it; the order is to be begun with a fresh one."""


class MountGuard:
    """Watches the changes of one pipeline's parts. A model that `is_broken` draws nothing more; one that `is_outdated`
    only the pictures that were begun with it. Both for good."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self.is_broken = False
        self.is_outdated = False

    @property
    def is_gone(self) -> bool:
        """Whether the next picture needs a fresh model."""
        return self.is_broken or self.is_outdated

    def require_sound(self) -> None:
        """Let nothing be drawn with a broken model.

        Raises:
            ModelThrownAway: it is one.
        """
        if self.is_broken:
            raise ModelThrownAway

    def forget_model(self) -> ModelThrownAway:
        """Let the model go for the next picture, because it would have to unlearn something; returns the error to
        raise."""
        self.is_outdated = True
        return ModelThrownAway()

    @contextmanager
    def changing(self, undo: Callable[[], object], unusable: Callable[[str], AcpError]) -> Iterator[None]:
        """A change that is made whole or not at all. Where it fails, `undo` takes it back, and a model that differs
        then from what it was is broken.

        Raises:
            AcpError: the change failed; what `unusable` makes of the reason, unless the device is to blame.
        """
        before = _snapshot(self._pipeline)
        try:
            with _explaining(unusable):
                yield
        except BaseException:
            self.is_broken = self.is_broken or not _is_undone(undo, before, self._pipeline)
            raise

    @contextmanager
    def switching(self, unusable: Callable[[str], AcpError]) -> Iterator[None]:
        """A change for which no look at the whole model is taken, because it is made for many calls: a model in which
        it fails is broken.

        Raises:
            AcpError: as `changing`.
        """
        try:
            with _explaining(unusable):
                yield
        except BaseException:
            self.is_broken = True
            raise


@contextmanager
def _explaining(unusable: Callable[[str], AcpError]) -> Iterator[None]:
    """Libraries raise anything about a file that they did not expect."""
    try:
        yield
    except (AcpError, ModelThrownAway):
        raise
    except Exception as error:
        if is_device_error(error):
            raise
        raise unusable(reason_of(error)) from error


def _is_undone(undo: Callable[[], object], before: dict[str, object], pipeline: Any) -> bool:
    try:
        undo()
        return _is_same(before, _snapshot(pipeline))
    except Exception:  # noqa: BLE001 - a model that cannot be mended is thrown away
        return False


def _snapshot(pipeline: Any) -> dict[str, object]:
    """Everything that a mount may change: each weight itself with how often it was written, the adapters of each part,
    the attention layers of a denoiser, and the words of tokenizers. Layers that a LoRA wrapped count as themselves."""
    found: dict[str, object] = {}
    for name, part in pipeline.components.items():
        if isinstance(part, torch.nn.Module):
            tensors = (*part.named_parameters(), *part.named_buffers())
            for path, tensor in tensors:
                found[f"{name}.{path.replace('.base_layer.', '.')}"] = (tensor, tensor._version)
            found[f"{name}: adapters"] = tuple(getattr(part, "peft_config", None) or ())
            found[f"{name}: pictures"] = getattr(getattr(part, "config", None), "encoder_hid_dim_type", None)
            found |= {f"{name}: {at}": one for at, one in getattr(part, "attn_processors", {}).items()}
        elif hasattr(part, "get_added_vocab"):
            found[name] = (part, len(part))
    return found


def _is_same(one: dict[str, object], other: dict[str, object]) -> bool:
    return one.keys() == other.keys() and all(_is_same_value(one[key], other[key]) for key in one)


def _is_same_value(one: Any, other: Any) -> bool:
    """Whether two entries of snapshots are one: tensors and modules by identity, since comparing them takes long."""
    if isinstance(one, tuple) and len(one) == 2 and not isinstance(one[0], str):
        return one[0] is other[0] and one[1] == other[1]
    return one is other or one == other
