# pyright: basic
"""Networks that turn a picture into another one, on a device: loaded from a file of weights, and run on one tile."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch.nn import functional

from agents.generator.device.errors import is_device_error, reason_of
from agents.generator.files.rrdb_file import UPSCALER_BOUNDS, describe, is_upscaler
from agents.generator.files.safetensors_header import inspect_file
from agents.generator.upscale import spandrel_networks
from agents.generator.upscale.rrdb import Rrdb
from agents.shared.picture import Rgb
from protocol.errors import AcpError, Refused

MAX_NETWORKS = 3
"""Networks that stay in memory, the least recently used goes first; a usual one takes 67 MB."""


class NetworkCache:
    """The networks of one device. Only the device's thread calls this."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._networks: OrderedDict[tuple[Path, int], Network] = OrderedDict()

    def get(self, file: Path) -> "Network":
        """The network in a file, loaded if need be.

        Raises:
            Refused: no network can be made of it.
        """
        try:
            key = (file, file.stat().st_mtime_ns)
            network = self._networks.pop(key, None) or Network(file, self._device)
        except AcpError:
            raise
        except Exception as error:
            if is_device_error(error):
                raise
            raise Refused(
                "not_installed",
                f"the network {file} cannot be used: {reason_of(error)}",
                path="$.job.pixels.post",
                hint="get the file again, or ask for another one",
            ) from error
        self._networks[key] = network
        while len(self._networks) > MAX_NETWORKS:
            self._networks.popitem(last=False)
        return network


class Network:
    """A network in memory. `scale` is how many times larger it makes a picture; `side` is that of the squares of pixels
    that it takes, null where it takes any size."""

    def __init__(self, file: Path, device: torch.device) -> None:
        """Load a file.

        Raises:
            UnsoundFile, NotAnUpscaler: see `inspect_file` and `describe`.
            Refused: it is of another family, and the extra that reads those is missing or does not know it.
        """
        self._device = device
        self.side: int | None = None
        header = inspect_file(file, UPSCALER_BOUNDS)
        if is_upscaler(header.tensors):
            form = describe(header)
            network = Rrdb(form)
            network.load_state_dict({form.tensor_names[name]: tensor for name, tensor in load_file(file).items()})
            self.scale, self._multiple = form.scale, form.squeeze
            self._network: Any = network.to(device).eval()
        else:
            self._network = spandrel_networks.load_network(file).to(device)
            self.scale, self._multiple = self._network.scale, 1
            if self._network.purpose == "FaceSR":
                self.side = self._network.size_requirements.minimum or spandrel_networks.FACE_SIDE

    @torch.no_grad()
    def apply(self, part: Rgb) -> NDArray[np.float32]:
        """What it makes of a part of a picture: (height, width, 3) times `scale`, about 0 to 1."""
        height, width, _ = part.shape
        rows = torch.from_numpy(np.array(part)).to(self._device).permute(2, 0, 1)[None].float() / 255
        padding = (0, -width % self._multiple, 0, -height % self._multiple)
        if any(padding):
            rows = functional.pad(rows, padding, mode="replicate")
        larger = self._network(rows)[0, :, : height * self.scale, : width * self.scale]
        return larger.float().permute(1, 2, 0).cpu().numpy()
