"""What a person does with the parts below the price predictor's answer: open one, close it, save a file, give one."""

NAMES = {
    "Similar items": "pricelab-similar",
    "What if": "pricelab-what-if",
    "A whole file": "pricelab-batch",
    "History": "pricelab-history",
}


def part_button(lab, name):
    """The button that opens and closes a part."""
    return lab.form.locator(".pricelab-tabs").get_by_role("button", name=name)


def open_part(lab, name):
    """Open a part, if it is closed, and wait for it."""
    part = lab.form.locator(f".{NAMES[name]}")
    if not part.is_visible():
        part_button(lab, name).click()
        part.wait_for(timeout=10_000)
    return part


def close_parts(lab):
    """Close the part that is open."""
    for name, css in NAMES.items():
        part = lab.form.locator(f".{css}")
        if part.is_visible():
            part_button(lab, name).click()
            part.wait_for(state="hidden", timeout=10_000)


def saved(lab, link):
    """The text of the file that a link saves, and its name."""
    with lab.page.expect_download() as download:
        link.click()
    with open(download.value.path(), encoding="utf-8-sig", newline="") as file:
        return file.read(), download.value.suggested_filename


def upload(lab, part, name, content):
    """Choose a file."""
    with lab.page.expect_file_chooser() as chooser:
        part.get_by_role("button", name="Choose a CSV file").click()
    chooser.value.set_files({"name": name, "mimeType": "text/csv", "buffer": content.encode()})
