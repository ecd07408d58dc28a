# pyright: basic, reportPrivateImportUsage=false
"""Denoisers that make the frames of a sequence together: a model's own, with a motion adapter's layers between its
(Y. Guo et al., AnimateDiff, 2023). Only the device's thread calls this."""

from typing import Any

import torch
from diffusers import MotionAdapter, UNetMotionModel

from agents.generator.device.errors import is_device_error, reason_of
from agents.generator.device.offload import place_like
from agents.generator.orders.order import MotionModel
from bus.failpoint import pass_failpoint
from protocol.errors import AcpError, Refused


def build_motion_denoiser(motion: MotionModel, denoiser: Any, device: torch.device) -> UNetMotionModel:
    """The denoiser for sequences. It holds the very weights of `denoiser`, wherever those are moved, and those of the
    adapter on `device`; LoRAs and IP-Adapters that the denoiser has are not in it.

    Raises:
        AcpError: the folder is no safe motion adapter, or not one for this model.
    """
    try:
        adapter: Any = MotionAdapter.from_pretrained(
            motion.folder, dtype=denoiser.dtype, use_safetensors=True, local_files_only=True
        )
        with torch.device("meta"):
            model: Any = UNetMotionModel.from_unet2d(denoiser, adapter, load_weights=False)
        # A LoRA wraps a layer, whose own weights are then a level deeper.
        own = {name.replace(".base_layer.", "."): weight for name, weight in denoiser.named_parameters()}
        known = own | adapter.to(device).state_dict()
        model.load_state_dict({name: known[name] for name in model.state_dict()}, assign=True)
        pass_failpoint("mount.motion_loaded")
        place_like(model, denoiser, device)
    except Exception as error:
        if is_device_error(error):
            raise
        raise unusable_motion_error(motion, reason_of(error)) from error
    return model.eval().requires_grad_(False)


def check_frame_count(model: UNetMotionModel, motion: MotionModel) -> None:
    """Refuse more frames than a denoiser keeps together.

    Raises:
        AcpError: the registry allows more than the adapter does.
    """
    most = model.config["motion_max_seq_length"]
    if motion.spec.frames > most:
        raise unusable_motion_error(motion, f"it keeps {most} frames together, and {motion.spec.frames} are asked for")


def unusable_motion_error(motion: MotionModel, reason: str) -> AcpError:
    """A motion adapter that makes no sequences with a model."""
    return Refused(
        "not_installed",
        f"the motion adapter {motion.spec.model} ({motion.folder}) cannot be used: {reason}",
        path="$.job.pixels.motion.model",
        hint="it must be a diffusers folder of a motion adapter for this model's platform, with safetensors weights",
    )
