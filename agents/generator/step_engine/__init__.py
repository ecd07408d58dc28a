"""The step engine: pictures of different requests share calls of the model, one denoising step at a time."""
