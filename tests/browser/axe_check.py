"""What axe-core finds on a page that keeps somebody from using it."""

from axe_playwright_python.sync_playwright import Axe

BAD = ("serious", "critical")
# ipywidgets gives the handle of a slider no name, and core widgets have no way to: a labelled field stands beside each.
UNNAMED_BY_IPYWIDGETS = ("aria-input-field-name", "noUi-handle")


def violations(page, within: str | None = None) -> list[str]:
    """Serious and critical violations in words; ``within`` a selector, of the whole page without one."""
    found = Axe().run(page, context=within).response["violations"]
    told = []
    for each in found:
        rule, part = UNNAMED_BY_IPYWIDGETS
        nodes = [node for node in each["nodes"] if each["id"] != rule or part not in node["html"]]
        if nodes and each["impact"] in BAD:
            why = " ".join(nodes[0].get("failureSummary", "").split())[:300]
            told.append(f"{each['id']} ({each['impact']}): {[node['target'] for node in nodes][:3]} {why}")
    return told
