"""The names and colours of the demo's small world, by day and by night."""

from __future__ import annotations

RGB = tuple[int, int, int]

COLOURS: dict[str, RGB] = {
    "red": (222, 30, 36),
    "orange": (250, 132, 12),
    "yellow": (246, 218, 20),
    "green": (36, 168, 58),
    "cyan": (24, 200, 214),
    "blue": (34, 74, 222),
    "purple": (132, 40, 196),
    "pink": (244, 84, 176),
}
"""Eight hues far enough apart to be told from one another in a blurred or darkened picture."""

SHAPES = ("circle", "square", "triangle", "star")

BACKGROUNDS: dict[str, RGB] = {
    "white": (246, 246, 244),
    "beige": (226, 206, 174),
    "grey": (146, 148, 152),
    "black": (26, 26, 30),
}

INK: RGB = (10, 9, 16)
"""The colour of outlines."""

NIGHT_SKY = (26, 30, 66)
MOONLIGHT = (0.38, 0.42, 0.56)
LAMPLIGHT = (0.74, 0.70, 0.80)


def at_night(colour: RGB, light: tuple[float, float, float] = MOONLIGHT) -> RGB:
    """Return the colour in weak light: darker and bluer, but no darker than the sky."""
    red, green, blue = (
        round(share * channel + sky * (1 - channel / 255) * 0.8)
        for channel, share, sky in zip(colour, light, NIGHT_SKY, strict=True)
    )
    return red, green, blue


def paint(colour: str, night: bool) -> RGB:
    """Return the colour of a shape; at night shapes are lit a little, so that their hue can still be seen."""
    return at_night(COLOURS[colour], LAMPLIGHT) if night else COLOURS[colour]


def ground(background: str, night: bool) -> RGB:
    """Return the colour of a background."""
    return at_night(BACKGROUNDS[background]) if night else BACKGROUNDS[background]


def shaded(colour: RGB, factor: float) -> RGB:
    """Return the colour with every channel multiplied by `factor`."""
    red, green, blue = (round(channel * factor) for channel in colour)
    return red, green, blue
