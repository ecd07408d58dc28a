"""Model families, one file each; all that is known of a family is in its file. Nothing here imports torch."""

from agents.generator.architectures.architecture import Architecture
from agents.generator.architectures.flux import FLUX
from agents.generator.architectures.kandinsky_3 import KANDINSKY_3
from agents.generator.architectures.stable_diffusion import STABLE_DIFFUSION
from agents.generator.architectures.stable_diffusion_3 import STABLE_DIFFUSION_3
from agents.generator.architectures.stable_diffusion_xl import STABLE_DIFFUSION_XL

ARCHITECTURES: dict[str, Architecture] = {
    family.name: family for family in (STABLE_DIFFUSION, STABLE_DIFFUSION_XL, STABLE_DIFFUSION_3, FLUX, KANDINSKY_3)
}
"""Every family by the name that `architecture` has in the registry, in the order of listings."""
