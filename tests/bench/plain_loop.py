"""The loop that a user would write instead of the workshop: a diffusers pipeline in the main thread of a process of its
own, with torch's own settings, one picture after the other. It makes pictures when it is asked to, so that it can be
measured in turn with what it is compared with."""
# pyright: reportPrivateImportUsage=false, reportUnknownMemberType=false
# diffusers exports lazily and types its options loosely.

import os
import subprocess
import sys
import time
from typing import NamedTuple, Self

PROMPTS = ("a red car on a white background", "two green mugs on a teal background", "a small blue fish, watercolour")
STEPS = (12, 16, 20, 24)
GUIDANCE = (2.0, 3.0, 4.0, 5.0)
WARM_UP = 2
"""Pictures before the first that counts."""


class Picture(NamedTuple):
    """What makes one picture another than the others."""

    prompt: str
    steps: int
    guidance: float
    seed: int


def picture(number: int) -> Picture:
    """The picture of a number: prompt, steps and guidance in all combinations, a seed of its own."""
    return Picture(
        prompt=PROMPTS[number % len(PROMPTS)],
        steps=STEPS[number % len(STEPS)],
        guidance=GUIDANCE[number // len(STEPS) % len(GUIDANCE)],
        seed=number,
    )


class PlainLoop:
    """The process of the loop, as a context. No user sets `OMP_WAIT_POLICY`, so its environment is without it."""

    def __enter__(self) -> Self:
        environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.threads = int(self._answer())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def seconds(self, first: int, count: int) -> float:
        """What the pictures from `first` on take, one after the other. Blocks."""
        assert self._process.stdin is not None
        print(first, count, file=self._process.stdin, flush=True)
        return float(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the loop ended with {self._process.wait()}")
        return line


def main() -> None:
    """Say how many threads are used, then answer each line `FIRST COUNT` with the seconds that those pictures took."""
    import torch
    from diffusers import StableDiffusionPipeline

    from agents.pocket.paths import MODEL

    pipeline = StableDiffusionPipeline.from_pretrained(MODEL, dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)

    def draw(number: int) -> None:
        one = picture(number)
        pipeline(
            one.prompt,
            num_inference_steps=one.steps,
            guidance_scale=one.guidance,
            generator=torch.Generator("cpu").manual_seed(one.seed),
        )

    for number in range(WARM_UP):
        draw(number)
    print(torch.get_num_threads(), flush=True)
    for line in sys.stdin:
        first, count = map(int, line.split())
        started = time.perf_counter()
        for number in range(first, first + count):
            draw(number)
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main()
