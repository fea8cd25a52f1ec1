"""What the tests of all widgets share: a page as a browser would see it, and the controls of a form."""

import html.parser


class Page(html.parser.HTMLParser):
    """Elements, their attributes and the text of an HTML page, as a browser would see them."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.text, self.open = [], "", []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def widths(self, of):
        """Widths in percent of the elements whose class begins so."""
        found = [attributes for _, attributes in self.elements if attributes.get("class", "").startswith(of)]
        return [float(attributes["style"].removeprefix("width: ").removesuffix("%")) for attributes in found]

    def with_attribute(self, name):
        return [attributes[name] for _, attributes in self.elements if name in attributes]


def leaves(widget):
    children = getattr(widget, "children", None)
    return [widget] if children is None else [leaf for child in children for leaf in leaves(child)]
