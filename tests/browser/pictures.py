"""Are two screenshots of a form alike? A loose comparison that sees structure, not pixels.

It sees another width, a height that changed by more than a seventh, and large parts that are missing, moved, or of
another colour: about a sixth of the picture, or a strong colour on a hundredth. It doesn't see words, thin lines, a
shift of a few pixels, or another font of about the same size: those differ between machines.
"""

from pathlib import Path

from PIL import Image, ImageChops, ImageFilter

HEIGHT_TOLERANCE = 1 / 7  # of a reference's height: other fonts wrap lines elsewhere
GRID = (16, 24)  # columns and rows that both pictures are shrunk to
BLUR_PX = 12
MEAN_TOLERANCE = 6.2  # of 255, over all places and the three colours
SPOT_TOLERANCE = 80.0  # of 255, at the place that differs most


def differs(picture: Path, reference: Path) -> str:
    """In words, how ``picture`` differs from ``reference``; empty when the two are alike."""
    if not reference.is_file():
        return f"there is no reference {reference.name}; make it with: python tests/browser/screenshots.py --references"
    new, old = (Image.open(path).convert("RGB") for path in (picture, reference))
    if abs(new.width - old.width) > 2:
        return f"{new.width} pixels wide, the reference {old.width}"
    if abs(new.height / old.height - 1) > HEIGHT_TOLERANCE:
        return f"{new.height} pixels high, the reference {old.height}"
    difference = ImageChops.difference(_shrunk(new), _shrunk(old)).tobytes()
    mean, spot = sum(difference) / len(difference), max(difference)
    if mean > MEAN_TOLERANCE or spot > SPOT_TOLERANCE:
        return f"differs by {mean:.1f} on average and {spot} at most, of 255"
    return ""


def _shrunk(picture: Image.Image) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(BLUR_PX)).resize(GRID, Image.Resampling.BOX)
