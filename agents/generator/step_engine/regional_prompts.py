# pyright: basic
"""Several prompts in one picture, each in its own place (O. Bar-Tal et al., MultiDiffusion, 2023).

The pipeline runs as a batch with a row for each prompt, all of the same noise. The model's answers to the rows are
mixed cell by cell, and every row goes on with the mixture, so that they stay one picture. The first is decoded.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from agents.generator.pipelines.region_weights import region_weights
from agents.generator.step_engine.model_calls import map_tensors
from protocol.errors import AcpError
from protocol.messages import Job
from protocol.parameters import Region


class RegionalPrompts:
    """The prompts of one picture of `width` x `height` pixels: the base and one for each region."""

    def __init__(self, regions: Sequence[Region], width: int, height: int) -> None:
        self._regions = regions
        self._size = width, height
        self._prompt_count = 1 + len(regions)
        self._weights: torch.Tensor | None = None

    def narrow_rows(self, arguments: Mapping[str, Any], without_rows: Sequence[str]) -> dict[str, Any]:
        """Arguments of a model's call with every row once: those without a prompt, before the others where there is
        guidance, are all the same. The first argument has rows; `without_rows` have none."""
        rows = next(iter(arguments.values())).shape[0]

        def narrow(value: torch.Tensor) -> torch.Tensor:
            if not value.ndim or value.shape[0] != rows or rows == self._prompt_count:
                return value
            return torch.cat([value[:1], value[-self._prompt_count :]])

        return {
            name: value if name in without_rows else map_tensors(value, narrow) for name, value in arguments.items()
        }

    def widen_rows(self, answer: Any) -> Any:
        """The answer to a narrowed call with the rows that the pipeline asked for."""
        return map_tensors(answer, self._widen)

    def mix_rows(self, answer: Any) -> Any:
        """The answer of the model that denoises, with the rows that the pipeline asked for, those of prompts alike."""
        return map_tensors(answer, lambda rows: self._widen(self._mix(rows)))

    def _widen(self, rows: torch.Tensor) -> torch.Tensor:
        if rows.shape[0] == self._prompt_count:
            return rows
        return torch.cat([rows[:1].expand(self._prompt_count, *rows.shape[1:]), rows[1:]])

    def _mix(self, rows: torch.Tensor) -> torch.Tensor:
        prompted = rows[-self._prompt_count :]
        mixture = (prompted.float() * self._weights_for(prompted)).sum(0, keepdim=True).to(rows.dtype)
        return torch.cat([rows[: -self._prompt_count], mixture.expand_as(prompted)])

    def _weights_for(self, answers: torch.Tensor) -> torch.Tensor:
        """What each prompt decides, to be multiplied with answers of shape (prompts, channels, height, width), or
        (prompts, cells, channels) where a model packs its cells row by row, as FLUX does."""
        if self._weights is None:
            packed = answers.ndim == 3
            height, width = self._grid(answers.shape[1]) if packed else answers.shape[-2:]
            parts = torch.from_numpy(region_weights(self._regions, height, width))
            parts = parts.reshape(self._prompt_count, -1, 1) if packed else parts[:, None]
            self._weights = parts.to(answers.device)
        return self._weights

    def _grid(self, cells: int) -> tuple[int, int]:
        """Height and width of a picture's packed cells."""
        width, height = self._size
        side = round(math.sqrt(width * height / cells))
        if (height // side) * (width // side) != cells:
            raise AcpError(
                "not_supported",
                f"the model keeps {width}x{height} pixels in {cells} cells, which are no grid",
                path="$.job.pixels.regions",
                hint="leave the regions out",
            )
        return height // side, width // side


def regional_prompts_of(job: Job) -> RegionalPrompts | None:
    """The prompts of a job's picture; null where it has one."""
    return RegionalPrompts(job.pixels.regions, job.pixels.width, job.pixels.height) if job.pixels.regions else None
