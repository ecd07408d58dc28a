"""Networks that make pictures of pictures, tile by tile: those of the ESRGAN family, and others by an extra."""
