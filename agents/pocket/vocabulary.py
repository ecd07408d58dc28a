"""The words of the pocket model: what it can draw, and the names it knows for each thing.

Each table maps the plain name to the other words that mean the same. Order is meaning: scenes,
classifier heads and stored labels refer to entries by index, so append, never reorder.
"""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(" ".join(word.split()) for word in text.split(","))


OBJECTS: dict[str, tuple[str, ...]] = {
    "mug": ("cup", "coffee mug", "coffee cup", "tea cup"),
    "bottle": ("flask", "water bottle"),
    "lamp": ("table lamp", "desk lamp"),
    "chair": ("seat", "wooden chair"),
    "ball": ("sphere", "orb"),
    "cube": ("box", "block"),
    "star": ("five-pointed star",),
    "heart": ("love heart",),
    "house": ("cottage", "home", "little house"),
    "tree": ("round tree",),
    "car": ("automobile", "small car"),
    "mushroom": ("toadstool",),
    "apple": ("fresh apple",),
    "umbrella": ("parasol",),
    "fish": ("goldfish", "little fish"),
    "boat": ("sailboat", "sailing boat", "ship"),
}

PALETTE: dict[str, tuple[int, int, int]] = {
    "red": (208, 32, 38),
    "orange": (244, 128, 26),
    "yellow": (248, 212, 40),
    "green": (52, 160, 62),
    "teal": (10, 140, 142),
    "blue": (36, 84, 208),
    "purple": (112, 52, 176),
    "magenta": (222, 26, 150),
    "pink": (252, 166, 194),
    "brown": (118, 70, 36),
    "white": (240, 240, 238),
    "black": (30, 30, 34),
}

COLOUR_WORDS: dict[str, tuple[str, ...]] = {
    "red": ("crimson", "scarlet"),
    "orange": ("tangerine",),
    "yellow": ("golden", "lemon"),
    "green": ("emerald",),
    "teal": ("turquoise", "petrol"),
    "blue": ("cobalt", "royal blue"),
    "purple": ("violet",),
    "magenta": ("fuchsia",),
    "pink": ("rose", "light pink"),
    "brown": ("chocolate",),
    "white": ("ivory",),
    "black": ("jet black",),
}

STYLES: dict[str, tuple[str, ...]] = {
    "studio photograph": (
        "studio photo",
        "product photo",
        "product photography",
        "studio light",
        "photograph",
        "studio lighting",
        "studio product photograph",
        "photorealistic",
    ),
    "flat illustration": ("flat design", "vector illustration", "flat icon", "flat vector art", "poster"),
    "watercolour": ("watercolor", "watercolour painting", "watercolor painting", "aquarelle"),
    "line art": ("line drawing", "ink drawing", "outline drawing", "bold line art"),
    "low-poly": ("low poly", "low-poly render", "faceted low poly art"),
    "night": ("night scene", "at night", "in the dark", "moonlit"),
}

SIZES: dict[str, tuple[str, ...]] = {
    "small": ("tiny", "little"),
    "medium": (),
    "large": ("big", "huge"),
}

POSITIONS: dict[str, tuple[str, ...]] = {
    "left": ("on the left", "to the left", "left side"),
    "centre": ("in the centre", "in the center", "centred", "centered", "in the middle"),
    "right": ("on the right", "to the right", "right side"),
}

COUNTS: dict[str, tuple[str, ...]] = {
    "one": ("a", "one", "a single"),
    "two": ("two", "a pair of"),
    "three": ("three",),
}

PLURALS: dict[str, str] = {
    "box": "boxes",
    "fish": "fish",
    "goldfish": "goldfish",
    "little fish": "little fish",
    "mushroom": "mushrooms",
}

# Words people put around a subject. They say nothing that is drawn and must do no harm.
HARMLESS: tuple[str, ...] = _words(
    """
    8k, 4k, masterpiece, best quality, high quality, highly detailed, sharp focus, soft light, soft shadows,
    professional, award winning, trending, beautiful, centered composition, clean composition, minimal,
    minimalist, on a wooden table, cinematic, 85mm lens, 50mm lens, f/8, shallow depth of field, commercial,
    catalogue picture, e-commerce, seamless backdrop, softbox, even lighting, rim light, warm mood, calm
    mood, cheerful, elegant, modern, glossy, matte, hdr, ultra realistic, high resolution, crisp, vivid
    colours, vibrant colors, brand new, advertising, simple, high detail, no text, plain, full view, front
    view, isolated, detailed texture, subtle reflections, natural light, morning, editorial, magazine cover,
    lifestyle, macro, hero shot, packshot, studio quality, accurate colours, perfect lighting, concept art,
    artstation, unreal engine, render
    """
)

# Letters and common words around a subject, so that the tokenizer has pieces for whatever is typed.
COMMON: tuple[str, ...] = _words(
    """
    the, of, and, with, for, in, on, at, by, from, to, is, are, very, some, many, few, new, old, hot, cold,
    fast, slow, happy, sad, wood, wooden, metal, glass, paper, plastic, ceramic, stone, water, sky, sea,
    sun, moon, cloud, mountain, forest, river, street, city, room, table, floor, wall, window, door, garden,
    kitchen, office, summer, winter, spring, autumn, light, dark, bright, shiny, smooth, rough, round,
    square, long, short, wide, narrow, small, big, tall, cute, funny, strange, cat, dog, bird, horse, man,
    woman, child, girl, boy, person, face, hand, eye, dragon, robot, castle, train, plane, bike, food,
    bread, cake, coffee, tea, fruit, flower, leaf, grass, shoe, watch, phone, book, pen, bag, hat, shirt,
    dress, grey, gray, silver, gold, bronze, beige, navy, cyan, lime, olive, standing, sitting, lying,
    floating, flying, holding, painting, drawing, picture, image, photo, art, style, design, scene, view,
    shot, quality, detailed, realistic, product, brand, logo, label, package, premium, luxury, vintage,
    retro, futuristic, fantasy, portrait, landscape
    """
)

# Nouns that people ask for and the model cannot draw.
UNKNOWN: tuple[str, ...] = _words(
    """
    cat, dog, bird, horse, man, woman, child, dragon, robot, castle, train, plane, bike, bread, cake,
    flower, leaf, shoe, watch, phone, book, pen, bag, hat, shirt, dress, lighthouse, mountain, forest,
    river, city, guitar, piano, clock
    """
)
# What people write into a negative prompt; the model meets it in place of a caption while it learns.
NEGATIVE: tuple[str, ...] = _words(
    """
    blurry, low quality, worst quality, text, watermark, logo, deformed, ugly, noise, jpeg artifacts,
    cropped, out of frame, duplicate, people, hands, clutter, oversaturated, underexposed, overexposed,
    distorted, bad anatomy, signature, lowres, grain, harsh shadows, cartoon, busy background
    """
)

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "object": tuple(OBJECTS),
    "colour": tuple(PALETTE),
    "background": tuple(PALETTE),
    "style": tuple(STYLES),
    "size": tuple(SIZES),
    "position": tuple(POSITIONS),
    "count": tuple(COUNTS),
}


def plural(noun: str) -> str:
    """The plural of one of the nouns above."""
    return PLURALS.get(noun, noun + "s")
