"""Kandinsky 3."""

from agents.generator.architectures.architecture import Architecture, Pipelines
from agents.generator.architectures.file_marks import FileMarks

KANDINSKY_3 = Architecture(
    name="kandinsky_3",
    # Its pipeline from pictures expects an autoencoder that the model does not have (pipeline_kandinsky3_img2img.py).
    pipelines=Pipelines(noise="Kandinsky3Pipeline"),
    denoiser="Kandinsky3UNet",
    shared_models={"Kandinsky3UNet": ()},
    latent_stride=8,
    output_type="np",
    # `max_length` of its `encode_prompt`.
    prompt_tokens=128,
    files=FileMarks(platform="kandinsky_3"),
)
