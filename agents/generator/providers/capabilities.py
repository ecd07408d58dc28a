"""What a hosted model takes, and what it costs. Pure module."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.generator.registry.entries import Size

AspectRatio = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}:[1-9][0-9]{0,3}$")]


class Capabilities(BaseModel):
    """What one hosted model takes.

    `sizes` are (width, height) in pixels, the first the default. They are all there are, unless `free_sizes` says that
    any size works whose sides are multiples of `multiple_of`, up to `max_pixels`, by default those of the largest
    size. `aspect_ratios` are those that the vendor takes by name. `start_image` and `mask` say whether a picture can
    begin from another one, or from the part of one outside of a mask; `references` is how many pictures it follows
    beside the words. `seed` says whether the same seed makes the same picture. `price_micros` is the most that one
    picture costs, in micro-dollars; null where that is not known, so that no budget can be kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sizes: tuple[Size, ...] = Field(min_length=1)
    free_sizes: bool = False
    aspect_ratios: tuple[AspectRatio, ...] = ()
    multiple_of: int = Field(default=1, ge=1, le=256)
    max_pixels: int | None = Field(default=None, ge=256)
    negative_prompt: bool = False
    seed: bool = False
    start_image: bool = False
    mask: bool = False
    references: int = Field(default=0, ge=0, le=64)
    price_micros: int | None = Field(default=None, ge=0, le=10**9, strict=True)

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        for width, height in self.sizes:
            if width % self.multiple_of or height % self.multiple_of:
                raise ValueError(f"size {width}x{height} does not fit multiple_of {self.multiple_of}")
            if width * height > self.largest:
                raise ValueError(f"size {width}x{height} is over max_pixels {self.max_pixels}")
        return self

    @property
    def largest(self) -> int:
        """The most pixels of a picture."""
        return self.max_pixels or max(width * height for width, height in self.sizes)

    def takes_size(self, width: int, height: int) -> bool:
        """Whether a picture can have that size."""
        fits = width % self.multiple_of == 0 and height % self.multiple_of == 0 and 0 < width * height <= self.largest
        return (width, height) in self.sizes or (self.free_sizes and fits)
