# pyright: basic
"""What torch's and diffusers' exceptions mean to a client."""

import torch
from safetensors import SafetensorError

from agents.generator.registry.entries import LocalModel
from protocol.errors import AcpError, Refused

_CPU_ALLOCATOR = ("DefaultCPUAllocator", "not enough memory", "can't allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device had no memory left; the CPU's allocator says so in words only."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(mark in str(error) for mark in _CPU_ALLOCATOR)


def is_device_error(error: BaseException) -> bool:
    """Whether an error speaks of the device, and not of what was loaded into it."""
    return is_out_of_memory(error) or isinstance(error, torch.AcceleratorError)


def is_compiler_error(error: BaseException) -> bool:
    """Whether torch.compile could not make a program of a model."""
    return type(error).__module__.startswith(("torch._dynamo.", "torch._inductor."))


def is_device_fault(error: BaseException) -> bool:
    """Whether the device is of no use to this process any more."""
    return isinstance(error, torch.AcceleratorError) and not is_out_of_memory(error)


def reason_of(error: BaseException) -> str:
    """What an exception says, in one line of bounded length; with its name where it was not raised in words."""
    said = " ".join(str(error).split())[:300]
    if said and isinstance(error, OSError | ValueError | RuntimeError | SafetensorError):
        return said
    return f"it does not fit ({type(error).__name__}{f': {said}' if said else ''})"


def out_of_memory_error(model: LocalModel, device: str, width: int, height: int) -> AcpError:
    """A picture did not fit into the device's memory."""
    return AcpError(
        "out_of_memory",
        f"{model.name} at {width}x{height} does not fit into the memory of {device}",
        hint=f"ask for {model.native_sizes[0][0]}x{model.native_sizes[0][1]} or less, or for a smaller model",
    )


def not_compiled_error(model: LocalModel, error: BaseException) -> AcpError:
    """What the settings ask for cannot be done on this machine."""
    reason = " ".join(str(error).split())[:300]
    return AcpError("internal", f"{model.name} could not be compiled: {reason}", hint="unset BOTTEGA_COMPILE")


def not_finite_error(model: LocalModel, device: str) -> AcpError:
    """The model computed something that is not a colour."""
    return AcpError(
        "internal",
        f"{model.name} gave pixels that are not numbers on {device}",
        hint='lower the guidance, drop LoRAs, or set dtype = "float32" for the model in models.toml',
    )


def withheld_error(model: LocalModel) -> AcpError:
    """The safety checker that came with the model blacked the picture out."""
    return AcpError("internal", f"the safety checker of {model.name} withheld the picture", hint="change the prompt")


def unloadable_error(model: LocalModel, folder: object, error: Exception) -> AcpError:
    """The model's folder cannot be loaded safely."""
    reason = reason_of(error)
    return Refused(
        "not_installed",
        f"the model {model.name} cannot be loaded from {folder}: {reason}",
        hint="it must be a complete diffusers folder with safetensors weights and no code; download it again",
    )
